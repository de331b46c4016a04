"""Who may enter `/admin/v1`: whoever has ADMIN_API_KEY, and nobody where that is not set."""

from __future__ import annotations

import hashlib
import hmac
import logging
from urllib.parse import parse_qsl

from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import (
    BEARER_CHALLENGE,
    AdminDisabled,
    ApiError,
    InvalidRequest,
    Unauthenticated,
    UnsupportedMediaType,
)
from api.middleware.body_limit import BodyLimitMiddleware
from api.middleware.headers import single_header
from api.routes.admin_refusals import Refusals, named_in, request_id
from api.schemas.parse import parse_json
from api.stages.authenticate import bearer_token
from api.tenants.types import Actor
from observability.logging import redacted

ADMIN_PREFIX = "/admin/v1"
ACTOR_HEADER = "X-Admin-Actor"
ANSWERED_WITH = "answered_with"
"""In a request's state: the error that it was answered with, if it was."""
# An admin request is two questions or a few names.
_MAX_BODY_BYTES = 64 * 1024
_MAX_ACTOR_CHARS = 100
_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")

logger = logging.getLogger(__name__)


class AdminGate:
    """Judges a request below `/admin/v1` by its headers alone, before its body is read or its path is looked up.

    So without the key nobody learns which admin paths exist, and nothing of FastAPI's sees what a stranger sends.
    """

    def __init__(self, app: ASGIApp, *, key: SecretStr, body_timeout_s: float, refusals: Refusals) -> None:
        self._app = app
        self._admin = BodyLimitMiddleware(self._checked, max_bytes=_MAX_BODY_BYTES, timeout_s=body_timeout_s)
        self._digest = _digest(key.get_secret_value()) if key.get_secret_value() else None
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_admin(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope["state"]
        key_id = state["admin_key_id"] = await self._authenticated(scope)
        by = Actor(id=key_id, request_id=request_id(scope))
        try:
            by = state["admin_actor"] = Actor(id=key_id, name=_actor_name(scope), request_id=by.request_id)
            await self._admin(scope, receive, send)
        except ApiError as error:
            self._refusals.refused(scope, error, by=by)
            raise
        if (answered_with := state.get(ANSWERED_WITH)) is not None:
            self._refusals.refused(scope, answered_with, by=by)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read and judged here, because FastAPI takes whatever goes wrong meanwhile for JSON that it cannot parse."""
        scope["state"]["admin_subject"] = named_in(dict(parse_qsl(scope["query_string"].decode("latin-1"))))
        if scope["method"] in _WITH_BODY:
            body = await _whole_body(receive)
            if body is None:
                return
            _check_body(scope, body)
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    async def _authenticated(self, scope: Scope) -> str:
        """What stands for the key in the log. Raises AdminDisabled and Unauthenticated."""
        if self._digest is None:
            raise AdminDisabled(
                "The admin API is off: set ADMIN_API_KEY to 16 characters or more and restart the gateway."
            )
        token: str | None = None
        try:
            token = bearer_token(single_header(scope, b"authorization"))
            self._check(scope, token, self._digest)
        except ApiError as error:
            await self._refusals.stranger(scope, error, token=token)
            raise
        return self._digest.hex()[:16]

    def _check(self, scope: Scope, token: str | None, digest: bytes) -> None:
        if not token:
            text = "The admin API needs its key. Send it as 'Authorization: Bearer YOUR_ADMIN_API_KEY'."
            raise Unauthenticated(text, param="Authorization", headers=BEARER_CHALLENGE)
        # Digests have one length and no order that a guess could climb.
        if not hmac.compare_digest(_digest(token), digest):
            logger.warning("an admin request came with a wrong key", extra={"path": redacted(scope["path"])})
            text = "Incorrect admin key provided: the admin API takes ADMIN_API_KEY and no key of a tenant."
            raise Unauthenticated(text, param="Authorization", headers=BEARER_CHALLENGE)


def admin_key_id(request: Request) -> str:
    """Stands for the key that this admin request came with, in logs, as `Caller.key_id` does for an API key."""
    key_id: str = request.scope["state"]["admin_key_id"]
    return key_id


def _is_admin(path: str) -> bool:
    return path == ADMIN_PREFIX or path.startswith(f"{ADMIN_PREFIX}/")


def _actor_name(scope: Scope) -> str:
    """What the caller says of itself. Raises InvalidRequest."""
    value = single_header(scope, ACTOR_HEADER.lower().encode())
    if value is None:
        return ""
    try:
        name = value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        name = "\0"
    if len(name) > _MAX_ACTOR_CHARS or not name.isprintable():
        text = f"{ACTOR_HEADER} must be {_MAX_ACTOR_CHARS} printable characters at the most, in UTF-8."
        raise InvalidRequest(text, param=ACTOR_HEADER, code="invalid_header")
    return name


def _check_body(scope: Scope, body: bytes) -> None:
    """Raises InvalidRequest and UnsupportedMediaType."""
    if scope["method"] == "DELETE":
        if body:
            text = "A DELETE says what to remove in its query, and has no body."
            raise InvalidRequest(text, param="body", code="unknown_parameter")
        return
    _check_content_type(scope)
    scope["state"]["admin_subject"] = named_in(parse_json(body))


def _check_content_type(scope: Scope) -> None:
    content_type = (single_header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType("the body must be application/json", param="Content-Type")


async def _whole_body(receive: Receive) -> bytes | None:
    """None: the client has left."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
