"""Any OpenAI-compatible upstream over HTTP: vLLM, Ray Serve, MockLLM, Ollama, TGI, a vendor's API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from resilience.deadline import Deadline
from serving.backends.event_stream import EventStream
from serving.backends.translate import decoded, failed_response, whole_answer
from serving.errors import BackendError, BackendRejected, BackendTimeout, BackendUnavailable
from serving.http.pool import ConnectionPool, Origin
from serving.http.response import Response
from serving.types import Endpoint, EngineRequest, Held, Json, Reply, StreamReply, Usage, WholeReply

_encode = msgspec.json.Encoder().encode

# Ray Serve's ingress before it knows an application: it listens, and nothing is behind it.
_WITHOUT_APPLICATIONS = b"/-/routes for available routes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A reply that is not streamed has until `request_s` for its first byte: the engine writes it whole."""

    connect_s: float
    first_byte_s: float
    between_chunks_s: float
    request_s: float


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
        usage_in_chunks: bool = False,
    ) -> None:
        """`model`: the upstream's own name for the model; None forwards the name that the client used.
        `usage_in_chunks`: ask streams to say with each chunk what they have used.

        A query in `base_url`, such as `?api-version=1`, is sent with every request. Raises ValueError for an
        `api_key` that no header can carry.
        """
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError(f"the API key of upstream {name!r} holds a character that a header cannot carry")
        self._name = name
        self._pool = pool
        self._timeouts = timeouts
        self._model = model
        self._usage_in_chunks = usage_in_chunks
        self._origin = Origin.of(base_url)
        address = urlsplit(base_url)
        path, query = address.path.rstrip("/"), f"?{address.query}" if address.query else ""
        fields = [f"Host: {self._origin.authority}", "Accept-Encoding: identity", "User-Agent: ai-serving-platform"]
        if api_key:
            fields.append(f"Authorization: Bearer {api_key}")
        headers = "".join(f"{field}\r\n" for field in fields)
        posted = f"HTTP/1.1\r\n{headers}Content-Type: application/json\r\n"
        self._post_heads = {endpoint: f"POST {path}/{endpoint.value}{query} {posted}".encode() for endpoint in Endpoint}
        self._models_head = f"GET {path}/models{query} HTTP/1.1\r\n{headers}\r\n".encode()

    @property
    def name(self) -> str:
        return self._name

    async def open(self, request: EngineRequest) -> Reply:
        now = asyncio.get_running_loop().time()
        deadline = now + self._timeouts.request_s
        first_byte_by = min(now + self._timeouts.first_byte_s, deadline) if request.stream else deadline
        first_byte_by = min(first_byte_by, request.deadline_s)
        head, body = self._encoded(request)
        response: Response | None = None
        try:
            with Deadline(first_byte_by):
                response = await self._send(head, body)
                if response.status != 200:
                    raise self._refusal(response, await response.read(), catalogued=self._model is not None)
                if request.stream:
                    return await self._stream(response, request.choices, deadline)
                return self._whole(await response.read(), request.endpoint)
        except BaseException as error:
            if response is not None:
                response.close()
            if isinstance(error, OSError):
                raise self._translated(error) from error
            raise

    async def check(self) -> None:
        response, raw = await self._ask_for_models()
        # Not every engine lists its models: one that says so is there, unless it wants another key of us.
        if _WITHOUT_APPLICATIONS in raw:
            raise self._refusal(response, raw, catalogued=True)
        if not 400 <= response.status < 500 or response.status in (401, 403):
            self._listed(response, raw)

    async def models(self) -> list[Json]:
        data = self._listed(*await self._ask_for_models()).get("data")
        return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []

    async def _ask_for_models(self) -> tuple[Response, bytes]:
        try:
            async with asyncio.timeout(self._timeouts.connect_s):
                response = await self._send(self._models_head, b"")
                try:
                    return response, await response.read()
                finally:
                    response.close()
        except OSError as error:
            raise self._translated(error) from error

    def _listed(self, response: Response, raw: bytes) -> Json:
        if response.status != 200:
            raise self._refusal(response, raw, catalogued=False)
        return decoded(self._name, raw)

    def _encoded(self, request: EngineRequest) -> tuple[bytes, bytes]:
        """Head and body, as this upstream wants them. Raises BackendRejected."""
        body = dict(request.body)
        if self._model is not None:
            body["model"] = self._model
        if request.stream:
            # Usage is always asked for, so that every stream is billed; it is stripped for clients who did not ask.
            options = body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
            # Of several choices vLLM says it for each alone.
            if self._usage_in_chunks and request.choices == 1:
                options["continuous_usage_stats"] = True
        try:
            data = _encode(body)
        except (ValueError, msgspec.MsgspecError) as error:  # such as half a surrogate pair
            refusal = {"message": f"the body cannot be forwarded: {error}", "param": "body", "code": "invalid_value"}
            raise BackendRejected(str(error), upstream=self._name, status=400, error=refusal) from error
        fields = f"X-Request-Id: {request.request_id}\r\nContent-Length: {len(data)}\r\n\r\n"
        return self._post_heads[request.endpoint] + fields.encode(), data

    async def _send(self, head: bytes, body: bytes) -> Response:
        return await self._pool.request(self._origin, head, body, connect_timeout_s=self._timeouts.connect_s)

    def _refusal(self, response: Response, raw: bytes, *, catalogued: bool) -> BackendError:
        return failed_response(
            self._name,
            response.status,
            raw,
            retry_after=response.headers.get(b"retry-after", b"").decode("latin-1"),
            catalogued=catalogued,
        )

    def _whole(self, raw: bytes, endpoint: Endpoint) -> WholeReply:
        body = whole_answer(self._name, raw, endpoint)
        return WholeReply(upstream=self._name, body=body, usage=Usage.from_wire(body.get("usage")))

    async def _stream(self, response: Response, choices: int, deadline: float) -> StreamReply:
        events = EventStream(
            response,
            upstream=self._name,
            choices=choices,
            between_chunks_s=self._timeouts.between_chunks_s,
            deadline=deadline,
        )
        await events.prefetch()
        held = Held()
        held.callback(events.close)
        return StreamReply(upstream=self._name, frames=events).holding(held)

    def _translated(self, error: OSError) -> BackendError:
        """From the wire's errors to ours."""
        if isinstance(error, TimeoutError):
            return BackendTimeout(f"{self._name} did not answer in time", upstream=self._name)
        reason = type(error).__name__
        return BackendUnavailable(f"{self._name} is unavailable ({reason})", upstream=self._name)
