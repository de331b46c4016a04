"""Prompts of a chosen length that no cache has seen, the same ones again for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

_VOCABULARY = (
    "river stone market garden winter letter music bridge forest window summer paper silver morning captain village "
    "island mountain kitchen doctor farmer teacher story candle bottle ladder mirror basket harbour engine meadow "
    "corner travel number signal planet weather orange yellow purple simple gentle narrow distant early quiet bright "
    "heavy little sudden common public modern ancient carry follow gather listen build answer remember wonder"
)
_WORDS = _VOCABULARY.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptWriter:
    """`shared_words` at the beginning are those of every prompt of the seed; the rest is each prompt's own."""

    seed: int
    words: int
    shared_words: int = 0

    def prompt(self, number: int) -> str:
        shared = min(self.shared_words, self.words)
        own = self._words(f"{self.seed}/{number}", self.words - shared)
        return " ".join(self._words(f"{self.seed}/shared", shared) + own)

    @staticmethod
    def _words(seed: str, count: int) -> list[str]:
        return random.Random(seed).choices(_WORDS, k=count)  # noqa: S311  # has to repeat, not to be secret


def words_for_tokens(tokens: int, *, counted: tuple[tuple[int, int], tuple[int, int]]) -> int:
    """How many words make `tokens`, from two prompts of which (words, tokens) are known: a server's own tokenizer.

    What a chat template adds is in both counts. At least one word.
    """
    (few, few_tokens), (many, many_tokens) = counted
    per_word = (many_tokens - few_tokens) / (many - few)
    if per_word <= 0:
        return max(1, tokens)
    return max(1, round(few + (tokens - few_tokens) / per_word))
