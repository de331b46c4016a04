"""Bytes to the client, for plain ASGI code."""

from __future__ import annotations

from starlette.types import Send

from api.errors import ApiError, Headers


async def send_json(send: Send, status: int, body: bytes, headers: Headers | None = None) -> None:
    length = str(len(body)).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", length), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_error(send: Send, error: ApiError) -> None:
    await send_json(send, error.status, error.encoded(), error.headers)
