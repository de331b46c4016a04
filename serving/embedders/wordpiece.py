"""The model's own tokeniser, without the padding and the length that its file asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer

from serving.embedders.unicode_text import encodable

# No word gives more tokens: what is longer is one unknown token.
_MAX_WORD_TOKENS = 100
_FIRST_LOOK_CHARS = 4096
# Read of one text at most; so much space before 256 words is no text.
_MAX_CHARS = 65_536
_SPECIAL_TOKENS = 2


class WordPiece:
    def __init__(self, content: bytes, *, max_tokens: int) -> None:
        """`content`: of tokenizer.json. `max_tokens`: of one text, the two special ones included."""
        self._tokenizer: Tokenizer = Tokenizer.from_str(content.decode())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens

    def ids(self, text: str) -> list[int]:
        """At most `max_tokens`; the rest of the text is cut off, and a long one is not read to its end."""
        for start in self._starts(text):
            ids: list[int] = self._tokenizer.encode(start).ids
            # The last word of what was read may be half a word: it must not reach the part that is kept.
            if len(ids) >= self._max_tokens + _MAX_WORD_TOKENS:
                break
        return ids if len(ids) <= self._max_tokens else [*ids[: self._max_tokens - 1], ids[-1]]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special ones included."""
        return [len(self._tokenizer.encode(part).ids) for part in map(encodable, texts)]

    def _starts(self, text: str) -> Iterator[str]:
        length = _FIRST_LOOK_CHARS
        while length < min(len(text), _MAX_CHARS):
            yield encodable(text[:length])
            length *= 4
        yield encodable(text[:_MAX_CHARS])
