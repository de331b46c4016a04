"""Every refusal of the admin API, written down: who wanted what, and which error it got. Never a key, never a body.

Of other requests those that came with a key in their URL, or for another tenant than their key's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Scope

from api.call import Call
from api.errors import ApiError, KeyInQuery, TenantMismatch
from api.tenants.base import Directory, Keys
from api.tenants.types import Actor
from observability.logging import redacted

NOBODY = "unknown"
"""In place of the id of a key that nobody knows."""
_MAX_SUBJECT_CHARS = 200
# Fields of bodies and queries that say whom they are about.
_SUBJECTS = ("tenant", "name", "key_id", "model")


class Refusals:
    """For the log of a directory; without one (None) nothing is written."""

    def __init__(self, directory: Directory | None, *, keys: Keys) -> None:
        self._directory = directory
        self._keys = keys

    async def stranger(self, scope: Scope, error: ApiError, *, token: str | None) -> None:
        """Somebody came without the admin key. A tenant's own key is named by its id."""
        if self._directory is None:
            return
        key_id = NOBODY
        if token:
            with suppress(ApiError):  # it is nobody's, or nobody can tell now
                key_id = (await self._keys.authenticate(token)).key_id
        actor = Actor(id=key_id, request_id=request_id(scope))
        subject = f"{scope['method']} {scope['path']}"
        self._directory.note_refusal(action="admin.enter", subject=_shown(subject), code=error.code or "", by=actor)

    def key_in_query(self, scope: Scope, error: KeyInQuery) -> None:
        """Nobody has looked whose key it is."""
        if self._directory is not None:
            actor = Actor(id=NOBODY, request_id=request_id(scope))
            subject = _shown(f"{scope.get('method', 'GET')} {scope['path']}")
            self._directory.note_refusal(action="api.enter", subject=subject, code=error.code or "", by=actor)

    def other_tenant(self, call: Call, named: str, error: TenantMismatch) -> None:
        if self._directory is not None:
            actor = Actor(id=call.caller.key_id, request_id=call.request_id)
            self._directory.note_refusal(action="api.call", subject=_shown(named), code=error.code or "", by=actor)

    def refused(self, scope: Scope, error: ApiError, *, by: Actor) -> None:
        """Failures of the platform's own are no refusals."""
        if self._directory is None or error.status >= 500:
            return
        self._directory.note_refusal(action=_action(scope), subject=_subject(scope), code=error.code or "", by=by)


def named_in(fields: Mapping[str, Any]) -> list[str]:
    """Whom a body or a query is about."""
    return [value for name in _SUBJECTS if isinstance(value := fields.get(name), str)]


def request_id(scope: Scope) -> str:
    found: str = scope.get("state", {}).get("request_id", "")
    return found


def _action(scope: Scope) -> str:
    """The name of its route, such as `key.revoke`; it may have been refused before that was looked up."""
    route = scope.get("route")
    if route is None or scope["method"] not in route.methods:
        return "admin.request"
    name: str = route.name
    return name


def _subject(scope: Scope) -> str:
    """What it was about: the names in its path, or whom its body or its query names, or the path itself."""
    named: list[str] = list(scope.get("path_params", {}).values()) or scope["state"].get("admin_subject", [])
    return _shown("/".join(named) or f"{scope['method']} {scope['path']}")


def _shown(text: str) -> str:
    """What strangers send may be anything, and as long as they like."""
    clean = "".join(character if character.isprintable() else "?" for character in redacted(text))
    return clean if len(clean) <= _MAX_SUBJECT_CHARS else f"{clean[: _MAX_SUBJECT_CHARS - 1]}…"
