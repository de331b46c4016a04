"""WebSocket by hand: frames that no client library would send, over a plain socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.acceptance.gateway.processes import Gateway
from tests.acceptance.gateway.raw_http import CHAT, request

HANDSHAKE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def client_frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, masked: bool = True, length: int | None = None
) -> bytes:
    """`length`: as announced, if it is not the payload's. The mask is all zeros, which is one like any other."""
    announced = len(payload) if length is None else length
    mask_bit = 0x80 if masked else 0
    if announced < 126:
        size = struct.pack("!B", mask_bit | announced)
    elif announced < 65536:
        size = struct.pack("!BH", mask_bit | 126, announced)
    else:
        size = struct.pack("!BQ", mask_bit | 127, announced)
    return bytes([(0x80 if fin else 0) | opcode]) + size + (bytes(4) if masked else b"") + payload


@dataclass(frozen=True)
class ServerFrame:
    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE, self
        (code,) = struct.unpack("!H", self.payload[:2])
        assert isinstance(code, int)
        return code


@dataclass(frozen=True)
class RawSocket:
    connection: socket.socket

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.connection.sendall(frame)

    def frame(self) -> ServerFrame:
        """The next frame; servers do not mask theirs, and this one does not cut messages up."""
        first, second = self._exactly(2)
        assert first & 0x80
        assert not second & 0x80
        length = second
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        return ServerFrame(first & 0x0F, self._exactly(length))

    def close_code(self) -> int:
        """Of the close frame that must come, after whatever else; 1006 if the connection is just cut."""
        try:
            while (frame := self.frame()).opcode != CLOSE:
                pass
        except ConnectionError:
            return 1006
        return frame.close_code

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            part = self.connection.recv(count - len(received))
            if not part:
                raise ConnectionResetError("the gateway hung up")
            received += part
        return received


@contextmanager
def raw_socket(gateway: Gateway, *, path: str = CHAT) -> Iterator[RawSocket]:
    """An open WebSocket; whatever it waits for has 20 s to come."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        line = f"GET {path} HTTP/1.1".encode()
        connection.sendall(request(b"", *HANDSHAKE, line=line, content_type=None, length=None))
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # byte by byte, for what follows is frames
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        yield RawSocket(connection)
