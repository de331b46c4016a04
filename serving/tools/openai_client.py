"""Calls to any OpenAI-compatible server, as a tool wants them: raw answers, and when each part of a stream arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from serving.backends.sse import EventParser
from serving.http.pool import ConnectionPool, Origin
from serving.http.response import Response
from serving.tools.command_line import InputError

_API = "/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[bytes, bytes]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The decoded body. Raises ValueError for what is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise ValueError(f"not JSON: {self.body[:80]!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Events of a stream that one read brought; `at_s` is the clock's time of that read."""

    at_s: float
    payloads: list[bytes]


@dataclass(frozen=True, slots=True)
class Address:
    """A server's origin, the path of its OpenAI API (`/v1`, mostly), and what lies above it (`/health`)."""

    origin: Origin
    api_path: str

    @classmethod
    def of(cls, url: str, *, option: str = "--base-url") -> Address:
        """`http://host:8000` stands for `http://host:8000/v1`. Raises InputError."""
        try:
            parts = urlsplit(url)
            origin = Origin.of(url)
        except (ValueError, UnicodeError) as error:
            raise InputError(f"{option}: {url!r} is not an http(s) URL such as http://127.0.0.1:8000/v1.") from error
        return cls(origin, parts.path.rstrip("/") or _API)

    @property
    def root_path(self) -> str:
        """Of what is beside the API: health and metrics."""
        return self.api_path.removesuffix(_API)


class OpenAIClient:
    """For one server. Raises OSError (HttpError and TimeoutError are kinds of it) when it cannot be reached."""

    def __init__(
        self,
        *,
        address: Address,
        pool: ConnectionPool,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers`: more of them, in Latin-1. Raises InputError for a key that no header can carry."""
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise InputError("the API key holds a character that a header cannot carry.")
        self.address = address
        self._pool = pool
        fields = [f"Host: {address.origin.authority}", "Accept-Encoding: identity", "User-Agent: ai-serving-platform"]
        if api_key:
            fields.append(f"Authorization: Bearer {api_key}")
        fields += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._headers = "".join(f"{field}\r\n" for field in fields)

    def with_key(self, api_key: str | None) -> OpenAIClient:
        """The same server, asked with another key."""
        return OpenAIClient(address=self.address, pool=self._pool, api_key=api_key)

    async def get(self, path: str, *, above_api: bool = False) -> Answer:
        """`path`: below the API, such as `/models`; with `above_api` beside it, such as `/health`."""
        whole = f"{self.address.root_path if above_api else self.address.api_path}{path}"
        return await self._answer(f"GET {whole} HTTP/1.1\r\n{self._headers}\r\n".encode("latin-1"), b"")

    async def post(self, path: str, body: object) -> Answer:
        return await self._answer(*self._posted(path, body))

    async def send(self, method: str, path: str, body: object | None = None) -> Answer:
        """Any other request; without a body for None."""
        if body is not None:
            return await self._answer(*self._posted(path, body, method=method))
        return await self._answer(
            f"{method} {self.address.api_path}{path} HTTP/1.1\r\n{self._headers}\r\n".encode("latin-1"), b""
        )

    @asynccontextmanager
    async def stream(self, path: str, body: object) -> AsyncIterator[Response]:
        """The response once its head is there. Leaving closes it: the server is told to stop if it had not ended."""
        response = await self._pool.request(self.address.origin, *self._posted(path, body))
        try:
            yield response
        finally:
            response.close()

    async def _answer(self, head: bytes, body: bytes) -> Answer:
        response = await self._pool.request(self.address.origin, head, body)
        try:
            return Answer(status=response.status, headers=response.headers, body=await response.read())
        finally:
            response.close()

    def _posted(self, path: str, body: object, *, method: str = "POST") -> tuple[bytes, bytes]:
        data = msgspec.json.encode(body)
        head = (
            f"{method} {self.address.api_path}{path} HTTP/1.1\r\n{self._headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        return head.encode("latin-1"), data


async def arrivals(response: Response, *, clock: Callable[[], float]) -> AsyncIterator[Arrival]:
    """The events of a stream as they come, `[DONE]` among them."""
    parser = EventParser()
    while data := await response.read_some():
        now = clock()
        if payloads := parser.feed(data):
            yield Arrival(at_s=now, payloads=payloads)


def error_message(body: bytes) -> str:
    """What an error's body says, whoever wrote it: OpenAI's form, FastAPI's, or plain text; at most a line."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = body.decode("utf-8", "replace")
    if isinstance(document, dict):
        error = document.get("error", document)
        document = error.get("message", error.get("detail", error)) if isinstance(error, dict) else error
    text = " ".join(str(document).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
