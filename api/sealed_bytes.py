"""Bytes for a store that say what they are and whether they are whole: a mark, a checksum, and the content, deflated
where that is worth it.
"""

from __future__ import annotations

import zlib
from binascii import crc32

_PLAIN, _DEFLATED = b"p", b"d"
_DEFLATE_FROM = 512
_CHECKSUM_BYTES = 4


class BrokenSealError(ValueError):
    """These bytes are not of this kind, or no longer what was written."""


class Seal:
    def __init__(self, mark: bytes, *, most_bytes: int) -> None:
        """`mark`: of this kind of content and its version. `most_bytes`: what grows beyond that when it is inflated was
        not written here.
        """
        self._mark = mark
        self._most_bytes = most_bytes

    def sealed(self, content: bytes) -> bytes:
        form = _PLAIN
        if len(content) >= _DEFLATE_FROM:
            content, form = zlib.compress(content, 1), _DEFLATED
        return self._mark + form + crc32(content).to_bytes(_CHECKSUM_BYTES, "big") + content

    def opened(self, data: bytes) -> bytes:
        """Raises BrokenSealError."""
        begins = len(self._mark)
        form, content = data[begins : begins + 1], data[begins + 1 + _CHECKSUM_BYTES :]
        checksum = int.from_bytes(data[begins + 1 : begins + 1 + _CHECKSUM_BYTES], "big")
        if not data.startswith(self._mark) or form not in (_PLAIN, _DEFLATED) or checksum != crc32(content):
            raise BrokenSealError("of another kind, or damaged")
        return content if form == _PLAIN else self._inflated(content)

    def _inflated(self, content: bytes) -> bytes:
        inflating = zlib.decompressobj()
        try:
            inflated = inflating.decompress(content, self._most_bytes)
        except zlib.error as error:
            raise BrokenSealError("damaged") from error
        if not inflating.eof:
            raise BrokenSealError("without an end")
        return inflated
