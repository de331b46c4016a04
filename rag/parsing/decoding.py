"""Bytes to text: by their mark, as UTF-8, as what the document says of itself, or by a guess."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

from rag.errors import DamagedDocument

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's mark does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 65_536
# Of all bytes: texts have none, and machine code, pictures and archives one in ten.
_MAX_CONTROL_SHARE = 0.005
# Of all characters: a file with a broken byte is still a text.
_MAX_BROKEN_SHARE = 0.002
# Those that people's programs have written since Windows.
_USUAL = "cp1252"
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "mac_roman")
_GUESSES = (
    *_LATIN,
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
    "cp874",
)
_SAME_CHAOS = 0.02
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b\x1a"))
_NOT_TEXT = "The file is binary: no text could be read from it."


def decode(data: bytes, *, declared: str | None = None) -> str:
    """`declared`: the encoding that the document names. Raises DamagedDocument for what is no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _mostly(data[len(mark) :], encoding)
    if (wide := _utf16_without_mark(data)) is not None:
        return _mostly(data, wide)
    if len(data) - len(data.translate(None, _CONTROLS)) > len(data) * _MAX_CONTROL_SHARE:
        raise DamagedDocument(_NOT_TEXT)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _not_utf8(data, declared)


def _utf16_without_mark(data: bytes) -> str | None:
    """Western text in UTF-16 has a zero in every second byte, and in no other."""
    sample = data[:_SAMPLE_BYTES]
    half = len(sample) // 2
    if half < 2 or b"\0" not in sample:
        return None
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > half * 0.7 and first < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if first > half * 0.7 and second < half * 0.05 else None


def _not_utf8(data: bytes, declared: str | None) -> str:
    text = data.decode(errors="replace")
    if text.count("\ufffd") <= len(text) * _MAX_BROKEN_SHARE and re.search("[^\x00-\x7f\ufffd]", text):
        return text  # UTF-8 that was cut or pasted together
    for candidate in (declared, _guessed(data)):
        if candidate is not None:
            with suppress(LookupError, DamagedDocument):
                return _mostly(data, candidate)
    raise DamagedDocument(_NOT_TEXT)


def _guessed(data: bytes) -> str | None:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 30 ms, for the few documents that need it

    matches = from_bytes(data[:_SAMPLE_BYTES], cp_isolation=list(_GUESSES))
    best = matches.best()
    if best is None or best.encoding not in _LATIN:
        return None if best is None else best.encoding
    # The same bytes make words in each of these: it is the one that most texts are in, if it reads as well.
    reads_as_well = {match.encoding for match in matches if match.chaos <= best.chaos + _SAME_CHAOS}
    return _USUAL if _USUAL in {*reads_as_well, *best.could_be_from_charset} else best.encoding


def _mostly(data: bytes, encoding: str) -> str:
    text = data.decode(encoding, errors="replace")
    if text.count("\ufffd") > max(1, len(text) * _MAX_BROKEN_SHARE):
        raise DamagedDocument(f"The file says that its encoding is {encoding}, and it is not.")
    return text
