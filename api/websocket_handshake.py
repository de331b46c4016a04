"""Who may open a WebSocket: pages of which origin, and with which key."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.types import Scope

from api.errors import ForeignOrigin
from api.middleware.headers import single_header
from api.stages.authenticate import bearer_token

SUBPROTOCOL = "completions.v1"
"""What is spoken. A browser needs an answer to its offer, and must not get its key back as one."""
# Browsers cannot set headers of a WebSocket; OpenAI's API takes the key as an offered subprotocol, and so does this.
_KEY_PREFIX = "openai-insecure-api-key."


def check_origin(scope: Scope, allowed: frozenset[str]) -> None:
    """Only browsers send an origin, and always: any page that somebody looks at may try. Raises ForeignOrigin."""
    origin = single_header(scope, b"origin")
    if origin is None or "*" in allowed or origin.lower() in allowed:
        return
    host = single_header(scope, b"host")
    if not host or _host_of(origin) != host.lower():
        raise ForeignOrigin(
            "pages of this origin may not open a WebSocket here: WEBSOCKET_ALLOWED_ORIGINS names those that may",
            param="Origin",
        )


def _host_of(origin: str) -> str | None:
    """With the port, as a Host header has it; None of what is no URL, such as an address with half a bracket."""
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return None


def offered_token(scope: Scope) -> str | None:
    """The API key of the handshake: the Authorization header's, or else the one among the subprotocols.

    Never one from the URL, which ends up in histories and in the logs of whatever is on the way.
    """
    if (authorization := single_header(scope, b"authorization")) is not None:
        return bearer_token(authorization)
    return next((name.removeprefix(_KEY_PREFIX) for name in _offers(scope) if name.startswith(_KEY_PREFIX)), None)


def chosen_subprotocol(scope: Scope) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in _offers(scope) else None


def _offers(scope: Scope) -> Sequence[str]:
    offers: Sequence[str] = scope.get("subprotocols", ())
    return offers
