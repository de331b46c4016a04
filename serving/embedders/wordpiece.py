"""The model's own tokeniser, without the padding and the length that its file asks for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer

from serving.embedders.unicode_text import encodable

# One thread: it works beside the event loop, which wants the other core. It asks nobody but this variable.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# No word gives more tokens: what is longer is one unknown token.
_MAX_WORD_TOKENS = 100
_PIECE_CHARS = 4096
# Read of one text at most; so much space before 256 words is no text.
_MAX_CHARS = 65_536
_SPECIAL_TOKENS = 2
# Counted in one go; more would only take memory.
_PIECES_AT_ONCE = 16


class WordPiece:
    def __init__(self, content: bytes, *, max_tokens: int) -> None:
        """`content`: of tokenizer.json. `max_tokens`: of one text, the two special ones included."""
        self._tokenizer: Tokenizer = Tokenizer.from_str(content.decode())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens

    def ids(self, text: str) -> list[int]:
        """At most `max_tokens`; the rest of the text is cut off, and a long one is not read to its end."""
        for start in _starts(text):
            (ids,) = self._ids([start])
            # The last word of what was read may be half a word: it must not reach the part that is kept.
            if len(ids) >= self._max_tokens + _MAX_WORD_TOKENS:
                break
        return ids if len(ids) <= self._max_tokens else [*ids[: self._max_tokens - 1], ids[-1]]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special ones included; a word of thousands of characters may count twice."""
        return [self._count(text) for text in texts]

    def _count(self, text: str) -> int:
        pieces = _pieces(text)
        count = _SPECIAL_TOKENS
        while some := list(itertools.islice(pieces, _PIECES_AT_ONCE)):
            count += sum(len(ids) - _SPECIAL_TOKENS for ids in self._ids(some))
        return count

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        # Also of one text as a batch, because only that lets other threads run meanwhile.
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(map(encodable, texts)))]


def _starts(text: str) -> Iterator[str]:
    """Longer and longer beginnings of the text."""
    length = _PIECE_CHARS
    while length < min(len(text), _MAX_CHARS):
        yield text[:length]
        length *= 4
    yield text[:_MAX_CHARS]


def _pieces(text: str) -> Iterator[str]:
    """The text in parts that end between two words, where there is a space."""
    start = 0
    while len(text) - start > _PIECE_CHARS:
        limit = start + _PIECE_CHARS
        end = max(text.rfind(" ", start + 1, limit), text.rfind("\n", start + 1, limit))
        if end < 0:
            end = limit
        yield text[start:end]
        start = end
    yield text[start:]
