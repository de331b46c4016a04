"""Who may enter `/admin/v1`: whoever has ADMIN_API_KEY, and nobody where that is not set."""

from __future__ import annotations

import hashlib
import hmac
import logging

from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BEARER_CHALLENGE, AdminDisabled, Unauthenticated, UnsupportedMediaType
from api.middleware.body_limit import BodyLimitMiddleware
from api.middleware.headers import single_header
from api.schemas.parse import parse_json
from api.stages.authenticate import bearer_token

ADMIN_PREFIX = "/admin/v1"
# An admin request is two questions or a few names.
_MAX_BODY_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


class AdminGate:
    """Judges a request below `/admin/v1` by its headers alone, before its body is read or its path is looked up.

    So without the key nobody learns which admin paths exist, and nothing of FastAPI's sees what a stranger sends.
    """

    def __init__(self, app: ASGIApp, *, key: SecretStr, body_timeout_s: float) -> None:
        self._app = app
        self._admin = BodyLimitMiddleware(self._checked, max_bytes=_MAX_BODY_BYTES, timeout_s=body_timeout_s)
        self._digest = _digest(key.get_secret_value()) if key.get_secret_value() else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_admin(scope["path"]):
            await self._app(scope, receive, send)
            return
        scope["state"]["admin_key_id"] = self._authenticated(scope)
        await self._admin(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read and judged here, because FastAPI takes whatever goes wrong meanwhile for JSON that it cannot parse."""
        if scope["method"] == "POST":
            _check_content_type(scope)
            body = await _whole_body(receive)
            if body is None:
                return
            parse_json(body)
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    def _authenticated(self, scope: Scope) -> str:
        """What stands for the key in the log. Raises AdminDisabled and Unauthenticated."""
        if self._digest is None:
            raise AdminDisabled(
                "The admin API is off: set ADMIN_API_KEY to 16 characters or more and restart the gateway."
            )
        token = bearer_token(single_header(scope, b"authorization"))
        if not token:
            text = "The admin API needs its key. Send it as 'Authorization: Bearer YOUR_ADMIN_API_KEY'."
            raise Unauthenticated(text, param="Authorization", headers=BEARER_CHALLENGE)
        # Digests have one length and no order that a guess could climb.
        if not hmac.compare_digest(_digest(token), self._digest):
            logger.warning("an admin request came with a wrong key", extra={"path": scope["path"]})
            text = "Incorrect admin key provided: the admin API takes ADMIN_API_KEY and no key of API_KEYS."
            raise Unauthenticated(text, param="Authorization", headers=BEARER_CHALLENGE)
        return self._digest.hex()[:16]


def admin_key_id(request: Request) -> str:
    """Stands for the key that this admin request came with, in logs, as `Caller.key_id` does for an API key."""
    key_id: str = request.scope["state"]["admin_key_id"]
    return key_id


def _is_admin(path: str) -> bool:
    return path == ADMIN_PREFIX or path.startswith(f"{ADMIN_PREFIX}/")


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
