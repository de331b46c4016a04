"""Text of documents as it may stand in a prompt: in one line, all visible, and without a mark that means anything.

Whoever wrote a document must not be able to end the passages, begin another one, ask another question or speak in
another role. So everything that could is written another way; what a reader understands stays the same. The document
itself is not changed: citations show it as it is.
"""

from __future__ import annotations

import re
import unicodedata

# Controls, signs that are not seen (zero width, direction, tags), private use, halves of pairs, not assigned.
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
# Seen as nothing, and by their category letters or marks: fillers, and selectors in which text can be hidden.
_BLANK = {0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
# Tokenizers that normalise make the plain sign of these.
_LOOK_ALIKE = {
    "\uff1c": "<", "\ufe64": "<", "\uff3b": "[", "\uff3d": "]", "\u3010": "[", "\u3011": "]", "\u3014": "[",
    "\u3015": "]", "\uff1a": ":", "\ufe55": ":", "\uff5c": "|",
}  # fmt: skip
_NO_TAG = "\u2039"
# The beginning of a tag or of a chat template's token, and no comparison such as `x < 5`.
_TAG = re.compile(r"<(?=\s*/|[^\s\d]|\Z)")
_LABEL = re.compile(r"\[(\s*\d{1,4}(?:\s*[,;-]\s*\d{1,4})*\s*)\]")
_CONTROL_WORD = re.compile(r"\[(\s*/?\s*[A-Z][A-Z_ ]+)\]")
_ROLE = re.compile(
    r"\b(questions?|query|q|user|human|assistant|ai|bot|system|developer|tool|instructions?|answer|response)\s*:",
    re.IGNORECASE,
)


class _Visible(dict[int, str]):
    """For `str.translate`: what each character is written as. Filled as characters come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isspace():
            written = " "
        elif code in _BLANK or unicodedata.category(character) in _UNSEEN:
            written = ""
        else:
            written = _LOOK_ALIKE.get(character, character)
        self[code] = written
        return written


_visible = _Visible()


def quoted(text: str) -> str:
    """One line. The same text gives the same, and what is quoted already stays as it is."""
    text = " ".join(text.translate(_visible).split())
    text = _TAG.sub(_NO_TAG, text)
    text = _LABEL.sub(r"(\1)", text)
    text = _CONTROL_WORD.sub(r"(\1)", text)
    return _ROLE.sub(r"\1 -", text)
