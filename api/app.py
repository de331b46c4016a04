"""The ASGI application: what wraps what, and which route goes where, in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.bootstrap import Services, build, rag_defaults
from api.errors import ApiError, Internal, InvalidRequest, MethodNotAllowed, NotFound
from api.middleware.access_log import AccessLogMiddleware, WriteEvent
from api.middleware.body_limit import BodyLimitMiddleware
from api.middleware.error_boundary import ErrorBoundaryMiddleware
from api.middleware.query_keys import QueryKeys
from api.middleware.request_id import RequestIdMiddleware
from api.openapi import describe_completions
from api.origins import allowed_origins
from api.routes.admin import admin_router
from api.routes.admin_access import ANSWERED_WITH, AdminGate
from api.routes.admin_cache import admin_cache_router
from api.routes.completions import completion_endpoints
from api.routes.models import models_router
from api.routes.operations import operations_router
from api.routes.rag import rag_router
from api.routes.rag_access import CorpusAccess
from api.routes.sessions import sessions_router
from api.routes.websocket import SocketLimits, WebSocketCompletions
from api.settings import Settings

_DESCRIPTION = "One OpenAI-compatible API in front of your own engines."


def create_app(
    settings: Settings, services: Services | None = None, *, write_event: WriteEvent | None = None
) -> ASGIApp:
    """`services`: None builds the real ones from the settings. They start and stop with the application.

    `write_event`: where the access log goes, if not through `logging`.
    """
    services = services or build(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    pages = FastAPI(
        title="AI serving platform",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_exception,
            RequestValidationError: _validation_error,
            Exception: _unhandled,
        },
    )
    _add_routes(pages, settings, services)
    endpoints = completion_endpoints(
        services.pipeline, services.accounting, timeout_s=settings.upstream.request_timeout_s
    )
    query_keys = QueryKeys(services.refusals.key_in_query)
    sockets = _sockets(settings, services, query_keys, write_event)
    gate = _gate(pages, settings, services)
    # From the inside out.
    app: ASGIApp = HotPaths(endpoints, sockets=sockets, otherwise=gate, query_keys=query_keys)
    app = BodyLimitMiddleware(app, max_bytes=settings.gateway.max_body_bytes, timeout_s=settings.gateway.body_timeout_s)
    app = ErrorBoundaryMiddleware(app)
    app = AccessLogMiddleware(app, write_event=write_event)
    return RequestIdMiddleware(app)


def _add_routes(pages: FastAPI, settings: Settings, services: Services) -> None:
    pages.include_router(models_router(services.models, services.pipeline.keys))
    pages.include_router(_rag_routes(settings, services))
    pages.include_router(operations_router(services.readiness, services.metrics))
    pages.include_router(
        sessions_router(services.sessions.access, keys=services.pipeline.keys, admission=services.admission)
    )
    if services.cache_admin is not None:
        pages.include_router(admin_cache_router(services.cache_admin, services.metrics))
    if services.admin is not None:
        pages.include_router(admin_router(services.admin))
    describe_completions(pages)


def _gate(pages: ASGIApp, settings: Settings, services: Services) -> AdminGate:
    return AdminGate(
        pages,
        key=settings.admin.admin_api_key,
        body_timeout_s=settings.gateway.body_timeout_s,
        refusals=services.refusals,
    )


def _rag_routes(settings: Settings, services: Services) -> APIRouter:
    access = CorpusAccess(
        corpus=services.corpus,
        keys=services.pipeline.keys,
        admission=services.admission,
        metrics=services.metrics,
        timeout_s=settings.upstream.request_timeout_s,
    )
    return rag_router(access, shared_uploads=settings.rag.rag_uploads_per_worker, defaults=rag_defaults(settings))


def _sockets(settings: Settings, services: Services, query_keys: QueryKeys, write_event: WriteEvent | None) -> ASGIApp:
    limits = SocketLimits(
        max_connections=settings.websocket.websocket_max_per_worker,
        tenant_share=settings.gateway.max_inflight_tenant_share,
        idle_timeout_s=settings.websocket.websocket_idle_timeout_s,
        request_timeout_s=settings.upstream.request_timeout_s,
        allowed_origins=allowed_origins(settings.websocket.websocket_allowed_origins),
    )
    return WebSocketCompletions(
        services.pipeline,
        services.accounting,
        services.metrics,
        limits=limits,
        query_keys=query_keys,
        write_event=write_event,
    )


class HotPaths:
    """Sends the completion endpoints their requests before FastAPI's router and middleware, which serve the rest."""

    def __init__(
        self, endpoints: Mapping[str, ASGIApp], *, sockets: ASGIApp, otherwise: ASGIApp, query_keys: QueryKeys
    ) -> None:
        self._endpoints = endpoints
        self._query_keys = query_keys
        self._sockets = sockets
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["query_string"]:
            self._query_keys.check(scope)
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            other = self._sockets if scope["type"] == "websocket" else self._otherwise
            await other(scope, receive, send)
            return
        if scope["method"] != "POST":
            where = f"{scope['method']} {scope['path']}"
            raise MethodNotAllowed(f"Not allowed to {where}.", param="method", headers=[(b"allow", b"POST")])
        await endpoint(scope, receive, send)


async def _api_error(request: Request, error: Any) -> Response:
    request.scope["state"][ANSWERED_WITH] = error
    headers = {name.decode(): value.decode() for name, value in error.headers}
    return Response(error.encoded(), error.status, headers, media_type="application/json")


async def _unhandled(request: Request, _: Any) -> Response:
    """Starlette raises the error on after this; the error boundary logs it."""
    return await _api_error(request, Internal("the gateway failed to serve this request"))


async def _http_exception(request: Request, error: Any) -> Response:
    where = f"{request.method} {request.url.path}"
    match error.status_code:
        case 404:
            translated: ApiError = NotFound(f"Unknown request URL: {where}.", code="unknown_url")
        case 405:
            headers = [(name.encode(), value.encode()) for name, value in (error.headers or {}).items()]
            translated = MethodNotAllowed(f"Not allowed to {where}.", param="method", headers=headers)
        case _:
            translated = InvalidRequest(str(error.detail))
            translated.status = error.status_code
    return await _api_error(request, translated)


async def _validation_error(request: Request, error: Any) -> Response:
    return await _api_error(request, _invalid(error.errors()[0]))


def _invalid(problem: Mapping[str, Any]) -> InvalidRequest:
    """What pydantic found first, in the words that the completion endpoints have for it."""
    param = ".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0])
    message = str(problem["msg"]).removeprefix("Value error, ")
    match problem["type"]:
        case "missing":
            text = f"Missing required parameter: '{param}'."
            return InvalidRequest(text, param=param, code="missing_required_parameter")
        case "extra_forbidden":
            return InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    text = f"Invalid value for '{param}': {message[:1].lower()}{message[1:]}."
    match problem["type"]:
        case "unsupported_currency":
            return InvalidRequest(text, param=param, code="unsupported_currency")
        case "unknown_currency":
            return InvalidRequest(text, param=param, code="unknown_currency")
        case _:
            return InvalidRequest(text, param=param, code="invalid_value")
