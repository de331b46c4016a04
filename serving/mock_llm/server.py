"""The OpenAI-compatible application, in raw ASGI: routes, checks, and the mapping of errors to replies."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from serving.mock_llm.chat import Job, chat_job, new_id
from serving.mock_llm.completions import completion_job
from serving.mock_llm.delivery import UsageReport, send_body, send_events
from serving.mock_llm.embeddings import embedding_reply
from serving.mock_llm.errors import ApiError, EngineFailure, InvalidRequest, MethodNotAllowed, UnknownModel, UnknownPath
from serving.mock_llm.exchange import ClientGone, Exchange
from serving.mock_llm.wire.replies import Envelope
from serving.mock_llm.wire.requests import ChatRequest, CompletionRequest, EmbeddingRequest, Sampling, decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from serving.mock_llm.engine import Engine
    from serving.mock_llm.exchange import Receive, Scope, Send
    from serving.mock_llm.faults import Faults

    Handler = Callable[[Exchange], Awaitable[None]]

_log = logging.getLogger(__name__)

_MODELS = "/v1/models"
# A sentence encoder of 22 million parameters has next to nothing to compute: launching it is what takes time.
_EMBEDDING_S = 0.002


class MockServer:
    """ASGI application for one engine. It answers to the names in `models` and `embedding_models`, first ones first."""

    def __init__(
        self,
        *,
        engine: Engine,
        faults: Faults,
        models: Sequence[str],
        embedding_models: Sequence[str],
        max_body_bytes: int = 10_000_000,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._faults = faults
        self._models = list(models)
        self._embedding_models = list(embedding_models)
        self._max_body_bytes = max_body_bytes
        self._wall_clock = wall_clock
        self._created = int(wall_clock())
        self._routes: dict[str, tuple[str, Handler]] = {
            "/health": ("GET", self._health),
            "/metrics": ("GET", self._metrics),
            _MODELS: ("GET", self._list_models),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._complete),
            "/v1/embeddings": ("POST", self._embed),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._handler(exchange)(exchange)
        except ClientGone:
            return
        except ApiError as error:
            await self._refuse(exchange, error)
        except asyncio.CancelledError:
            # Only the end of the process cancels a request. A stream stays without its end, so that its client notices.
            await self._refuse(
                exchange, EngineFailure("The server is shutting down.", status=503, code="shutting_down")
            )
        except Exception:
            _log.exception("%s %s failed", exchange.method, exchange.path)
            if exchange.started:
                raise
            await self._refuse(exchange, ApiError("The mock engine failed; its log says why."))

    def _handler(self, exchange: Exchange) -> Handler:
        if exchange.path.startswith(f"{_MODELS}/"):
            return self._allowed(exchange, "GET", self._show_model)
        if exchange.path not in self._routes:
            raise UnknownPath(f"There is no {exchange.path!r} here.")
        return self._allowed(exchange, *self._routes[exchange.path])

    def _allowed(self, exchange: Exchange, method: str, handler: Handler) -> Handler:
        if exchange.method not in (method, "HEAD" if method == "GET" else method):
            raise MethodNotAllowed(f"{exchange.path} takes {method}, not {exchange.method}.")
        return handler

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        if not exchange.started:
            await exchange.respond(error.status, msgspec.json.encode(error.body()))

    async def _health(self, exchange: Exchange) -> None:
        await exchange.respond(200, b"")

    async def _metrics(self, exchange: Exchange) -> None:
        body = generate_latest(self._engine.metrics.registry)
        await exchange.respond(200, body, content_type=CONTENT_TYPE_LATEST.encode())

    async def _list_models(self, exchange: Exchange) -> None:
        models = [self._card(name) for name in self._models + self._embedding_models]
        await exchange.respond(200, msgspec.json.encode({"object": "list", "data": models}))

    async def _show_model(self, exchange: Exchange) -> None:
        name = exchange.path.removeprefix(f"{_MODELS}/")
        if name not in self._models + self._embedding_models:
            raise UnknownModel(f"The model {name!r} does not exist.", param="model")
        await exchange.respond(200, msgspec.json.encode(self._card(name)))

    async def _chat(self, exchange: Exchange) -> None:
        request = decode(await exchange.body(self._max_body_bytes), ChatRequest)
        job = chat_job(request, self._envelope("chatcmpl", request), max_model_len=self._max_model_len)
        await self._serve(exchange, request, job)

    async def _complete(self, exchange: Exchange) -> None:
        request = decode(await exchange.body(self._max_body_bytes), CompletionRequest)
        job = completion_job(request, self._envelope("cmpl", request), max_model_len=self._max_model_len)
        await self._serve(exchange, request, job)

    async def _embed(self, exchange: Exchange) -> None:
        request = decode(await exchange.body(self._max_body_bytes), EmbeddingRequest)
        model = self._known(request.model, self._embedding_models, self._models, "the Embeddings API")
        body = msgspec.json.encode(embedding_reply(request, model=model, max_model_len=self._max_model_len))
        self._faults.strike_request()
        await self._engine.pause(_EMBEDDING_S)
        if self._faults.strike_reply():
            await exchange.reset()
        else:
            await exchange.respond(200, body)

    async def _serve(self, exchange: Exchange, request: Sampling, job: Job) -> None:
        usage = UsageReport.of(asked=request.wants_usage(), in_chunks=request.wants_usage_in_chunks())
        self._faults.strike_request()
        streamed = bool(request.stream)
        generation = self._engine.submit(job.prompts, job.plans, every_token=streamed)
        if streamed:
            fault = self._faults.strike_stream()
            await send_events(exchange, generation, job.reply, usage=usage, fault=fault)
        else:
            await send_body(exchange, generation, job.reply, faults=self._faults)

    @property
    def _max_model_len(self) -> int:
        return self._engine.scheduler.config.max_model_len

    def _envelope(self, prefix: str, request: Sampling) -> Envelope:
        model = self._known(request.model, self._models, self._embedding_models, "completions")
        return Envelope(reply_id=new_id(prefix), created=int(self._wall_clock()), model=model)

    def _known(self, model: str | None, right: Sequence[str], wrong: Sequence[str], purpose: str) -> str:
        if model is None and right:
            return right[0]
        if model in wrong:
            raise InvalidRequest(f"The model {model!r} does not support {purpose}.", param="model")
        if model is None or model not in right:
            raise UnknownModel(f"The model {model!r} does not exist.", param="model")
        return model

    def _card(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "mock-llm",
            "root": name,
            "max_model_len": self._max_model_len,
        }
