"""HTTP by hand: requests that no client library would send, over a plain socket, with a time-out on every step."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import KEY

CHAT = "/v1/chat/completions"
QUESTION = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self) -> dict[str, Any]:
        """The error object of an answer that must be a readable 4xx in OpenAI's shape, with the usual headers."""
        assert 400 <= self.status < 500, f"{self.status}: {self.body[:300]!r}"
        assert self.headers["content-type"] == "application/json"
        assert self.headers["x-request-id"]
        assert self.headers["x-response-time"]
        body = json.loads(self.body)
        conforms(body, ERROR)
        error: dict[str, Any] = body["error"]
        assert error["message"]
        assert error["type"] == "invalid_request_error"
        return error


def request(
    body: bytes = b"",
    *headers: bytes,
    line: bytes = f"POST {CHAT} HTTP/1.1".encode(),
    content_type: bytes | None = b"application/json",
    key: str | None = KEY,
    length: int | None = -1,
) -> bytes:
    """A request's bytes. `length`: of the body as announced, None to announce none."""
    lines = [line, b"Host: gateway", *headers]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}".encode())
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type)
    if length is not None:
        lines.append(b"Content-Length: %d" % (len(body) if length == -1 else length))
    return b"\r\n".join([*lines, b"", body])


def exchange(port: int, *parts: bytes, timeout_s: float = 15.0, method: str = "POST") -> Answer:
    """Send the parts and read one answer. Raises OSError or HTTPException when none comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        # A server that has seen enough may hang up before all is sent; its answer is there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        return read_answer(connection, method=method)


def read_answer(connection: socket.socket, *, method: str = "POST") -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        return Answer(response.status, response.headers, response.read())
    finally:
        response.close()


def chunked(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
