"""Any OpenAI-compatible upstream over HTTP: vLLM, Ray Serve, MockLLM, Ollama, TGI, a vendor's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import msgspec

from serving.backends.event_stream import EventStream
from serving.backends.translate import answer, decoded, engine_error, failed_response
from serving.errors import BackendError, BackendRejected, BackendTimeout, BackendUnavailable
from serving.types import Endpoint, EngineRequest, Json, Reply, StreamReply, Usage, WholeReply

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A reply that is not streamed has until `request_s` for its first byte: the engine writes it whole."""

    connect_s: float
    first_byte_s: float
    between_chunks_s: float
    request_s: float


class ConnectionPool:
    """The connections of one worker to all of its upstreams."""

    def __init__(self, *, connect_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool in the running loop."""
        self._session = aiohttp.ClientSession(
            # Below the 5 s after which uvicorn (so vLLM) closes an idle connection: reusing one that is being closed
            # would fail a request that was never read.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "ai-serving-platform"},
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the connection pool has not been started")
        return self._session


class OpenAIBackend:
    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        pool: ConnectionPool,
        timeouts: Timeouts,
        model: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """`model`: the upstream's own name for the model; None forwards the name that the client used."""
        self._name = name
        self._pool = pool
        self._timeouts = timeouts
        self._model = model
        self._urls = {endpoint: f"{base_url}/{endpoint.value}" for endpoint in Endpoint}
        self._models_url = f"{base_url}/models"
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    @property
    def name(self) -> str:
        return self._name

    async def open(self, request: EngineRequest) -> Reply:
        now = asyncio.get_running_loop().time()
        deadline = now + self._timeouts.request_s
        first_byte_by = min(now + self._timeouts.first_byte_s, deadline) if request.stream else deadline
        async with self._translated(first_byte_by):
            response = await self._post(request)
        try:
            async with self._translated(first_byte_by):
                if response.status != 200:
                    raw, catalogued = await response.read(), self._model is not None
                    raise failed_response(self._name, response, raw, catalogued=catalogued)
                if not request.stream:
                    return self._whole(await response.read())
                return await self._stream(response, deadline)
        except BaseException:
            response.close()
            raise

    async def check(self) -> None:
        await self.models()

    async def models(self) -> list[Json]:
        async with (
            self._translated(asyncio.get_running_loop().time() + self._timeouts.connect_s),
            self._pool.session.get(self._models_url, headers=self._headers, allow_redirects=False) as response,
        ):
            body = await response.read()
            if response.status != 200:
                raise failed_response(self._name, response, body, catalogued=False)
            listing = decoded(self._name, body)
        data = listing.get("data")
        return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []

    async def _post(self, request: EngineRequest) -> aiohttp.ClientResponse:
        body = dict(request.body)
        if self._model is not None:
            body["model"] = self._model
        if request.stream:
            # Usage is always asked for, so that every stream is billed; it is stripped for clients who did not ask.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        try:
            data = _encode(body)
        except (ValueError, msgspec.MsgspecError) as error:  # such as half a surrogate pair
            refusal = {"message": f"the body cannot be forwarded: {error}", "param": "body", "code": "invalid_value"}
            raise BackendRejected(str(error), upstream=self._name, status=400, error=refusal) from error
        url = self._urls[request.endpoint]
        headers = {**self._headers, "X-Request-Id": request.request_id}
        try:
            return await self._pool.session.post(url, data=data, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
            # The upstream closed a pooled connection just as it was picked; nothing was answered, so once more.
            return await self._pool.session.post(url, data=data, headers=headers, allow_redirects=False)

    def _whole(self, raw: bytes) -> WholeReply:
        body = answer(self._name, raw)
        if body.get("error") is not None:
            raise engine_error(self._name, body)
        return WholeReply(upstream=self._name, body=body, usage=Usage.from_wire(body.get("usage")))

    async def _stream(self, response: aiohttp.ClientResponse, deadline: float) -> StreamReply:
        events = EventStream(
            response, upstream=self._name, between_chunks_s=self._timeouts.between_chunks_s, deadline=deadline
        )
        await events.prefetch()
        held = AsyncExitStack()
        held.callback(events.close)
        return StreamReply(upstream=self._name, frames=events).holding(held)

    @asynccontextmanager
    async def _translated(self, deadline: float) -> AsyncIterator[None]:
        """Turn the HTTP client's errors into ours, and end the block at `deadline`, in the running loop's time."""
        try:
            async with asyncio.timeout_at(deadline):
                yield
        except BackendError:
            raise
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise BackendTimeout(f"{self._name} did not answer in time", upstream=self._name) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = type(error).__name__
            raise BackendUnavailable(f"{self._name} is unavailable ({reason})", upstream=self._name) from error
