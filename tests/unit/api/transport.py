"""A transport for protocols that are fed by hand: it keeps what they write and do."""

from __future__ import annotations

import asyncio
from typing import Any


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = self.aborted = self.eof = False
        self.pauses = self.resumptions = 0
        self.unread = 0
        """Bytes that the client has not read; a test sets it."""
        self.protocol: asyncio.BaseProtocol | None = None

    def lose(self) -> None:
        """The connection is gone, as seen by whichever protocol has it."""
        if isinstance(self.protocol, asyncio.Protocol):
            self.protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof or not data, "written after the end"
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.pauses += 1

    def resume_reading(self) -> None:
        self.resumptions += 1

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol
