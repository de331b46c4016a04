"""JSON in, JSON out, to one server that is no engine."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec

from serving.http.errors import HttpError, MalformedResponse
from serving.http.pool import ConnectionPool, Origin

_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class UnexpectedStatus(HttpError):
    """The server did not answer 200. Nothing of what it said is in the message, which may be logged."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered with status {status}")
        self.status = status


class JsonClient:
    def __init__(self, *, base_url: str, pool: ConnectionPool, api_key: str | None = None) -> None:
        """Raises ValueError for an `api_key` that no header can carry."""
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("the API key holds a character that a header cannot carry")
        self._pool = pool
        self._origin = Origin.of(base_url)
        self._path = urlsplit(base_url).path.rstrip("/")
        fields = [f"Host: {self._origin.authority}", "Accept-Encoding: identity", "User-Agent: ai-serving-platform"]
        if api_key:
            fields.append(f"Authorization: Bearer {api_key}")
        self._fields = "".join(f"{field}\r\n" for field in fields)

    async def post(self, path: str, body: object, *, timeout_s: float) -> object:
        """The decoded answer. `path`: behind the base URL's. Raises OSError, of which HttpError and TimeoutError."""
        data = _encode(body)
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\n{self._fields}"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        async with asyncio.timeout(timeout_s):
            response = await self._pool.request(self._origin, head.encode(), data, connect_timeout_s=timeout_s)
            try:
                raw = await response.read(_MAX_ANSWER_BYTES)
            finally:
                response.close()
        if response.status != 200:
            raise UnexpectedStatus(response.status)
        try:
            return _decode(raw)
        except msgspec.DecodeError as error:
            raise MalformedResponse("the answer is not JSON") from error
