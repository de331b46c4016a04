"""An upstream that misbehaves in every way an engine can: the first part of the path says how.

`/NAME/v1/chat/completions` answers as the script NAME does; `received` keeps what was asked of each.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from scripts.embedded.ports import free_port

Script = Callable[[socket.socket], None]
_GIVE_UP_S = 30.0


def whole(status: int, body: bytes | dict[str, Any], *headers: str) -> Script:
    """A complete response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(connection: socket.socket) -> None:
        head = [f"HTTP/1.1 {status} Scripted", "Content-Type: application/json", f"Content-Length: {len(raw)}"]
        connection.sendall("\r\n".join([*head, *headers, "Connection: close", "", ""]).encode() + raw)

    return script


def events(*payloads: str | dict[str, Any], end: Script | None = None, separator: str = "\n\n") -> Script:
    """A stream of these events, and then what `end` does; without one the response ends as a complete one does."""

    def script(connection: socket.socket) -> None:
        head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", "", ""]
        connection.sendall("\r\n".join(head).encode())
        for payload in payloads:
            text = payload if isinstance(payload, str) else json.dumps(payload)
            event = f"data: {text}{separator}".encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        if end is None:
            connection.sendall(b"0\r\n\r\n")
        else:
            end(connection)

    return script


def hang_up(_: socket.socket) -> None:
    """Close the connection, wherever it is."""


def reset(connection: socket.socket) -> None:
    """Close the connection with a TCP reset, once what was sent before has had time to be read."""
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stall(connection: socket.socket) -> None:
    """Send nothing more until the other side closes."""
    connection.settimeout(_GIVE_UP_S)
    while connection.recv(65536):
        pass


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xffthis is no HTTP\r\n\r\n")


def endless_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 200_000)


@dataclass(frozen=True)
class Received:
    head: str
    body: dict[str, Any]


@dataclass
class ScriptedUpstream:
    """Use as a context manager."""

    scripts: dict[str, Script]
    port: int = field(default_factory=free_port)
    received: dict[str, list[Received]] = field(default_factory=lambda: defaultdict(list))

    def __enter__(self) -> Self:
        upstream = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                upstream._answer(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def base_url(self, script: str) -> str:
        return f"http://127.0.0.1:{self.port}/{script}/v1"

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_GIVE_UP_S)
        try:
            head, body = read_request(connection)
            path = head.split(" ")[1]
            script = path.split("/")[1]
            if path.endswith("/models"):
                whole(200, {"object": "list", "data": []})(connection)
                return
            self.received[script].append(Received(head, json.loads(body)))
            self.scripts[script](connection)
        except (ConnectionError, TimeoutError):
            return


def read_request(connection: socket.socket) -> tuple[str, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += _more(connection)
    return head.decode(), body


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionResetError("the gateway hung up")
    return received
