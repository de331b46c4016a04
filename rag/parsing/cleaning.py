"""Characters that have no place in a store, in a prompt or before a reader's eyes."""

from __future__ import annotations

import re
import unicodedata

_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Control characters, halves of surrogate pairs, non-characters, and what is invisible and may hide a text within the
# text: soft hyphens, zero-width spaces, changes of writing direction, tags. Joiners stay: emoji and scripts need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACE = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_WIDE = re.compile(r"[ \t]{9,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
# Rules and the dots between an entry and its page: a token each, and they mean nothing.
_LEADER = re.compile(r"([.\-_=*~#·•…])\1{5,}")


def clean(text: str) -> str:
    """The text as it may be stored; its words, lines and indentation are kept."""
    text = _NEWLINE.sub("\n", text)
    text = _SPACE.sub(" ", _UNWANTED.sub("", text))
    text = _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _LEADER.sub(r"\1\1\1", text)
    return _EMPTY_LINES.sub("\n\n", _TRAILING.sub("", _WIDE.sub(" " * 8, text))).strip("\n")


def one_line(text: str, *, max_chars: int) -> str:
    """Cleaned, in one line, cut with an ellipsis."""
    line = " ".join(clean(text[: max_chars * 4]).split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1].rstrip()}…"
