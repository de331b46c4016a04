"""`/v1/sessions`: begin a conversation, look at it, delete it. Completions go on with it by its id."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.errors import NotFound, SessionsAway, SessionsDisabled
from api.middleware.headers import single_header
from api.schemas.session_ids import is_session_id, new_session_id
from api.sessions.base import SessionStore, SessionStoreError
from api.sessions.types import Session
from api.stages.admit import Admission, wire_headers
from api.stages.authenticate import bearer_token
from api.tenants.base import Keys
from serving.types import Json

_Id = Annotated[str, Path(description="The session's id")]


@dataclass(frozen=True, kw_only=True)
class SessionAccess:
    """What a tenant may ask of its sessions. Raises NotFound and SessionsAway."""

    store: SessionStore
    ttl_s: float
    max_turns: int

    async def begin(self, tenant: str) -> Json:
        session_id = new_session_id()
        with _told_if_away():
            await self.store.create(tenant, session_id)
        return self._head(session_id, self.ttl_s)

    async def show(self, tenant: str, session_id: str) -> Json:
        _check(session_id)
        with _told_if_away():
            session = await self.store.read(tenant, session_id)
        if not session.exists:
            raise _unknown()
        return {**self._head(session_id, session.expires_in_s), **_contents(session)}

    async def delete(self, tenant: str, session_id: str) -> Json:
        _check(session_id)
        with _told_if_away():
            deleted = await self.store.delete(tenant, session_id)
        if not deleted:
            raise _unknown()
        return {"id": session_id, "object": "session.deleted", "deleted": True}

    def _head(self, session_id: str, expires_in_s: float) -> Json:
        return {
            "id": session_id,
            "object": "session",
            "expires_in": math.ceil(expires_in_s),
            "max_turns": self.max_turns,
        }


def sessions_router(access: SessionAccess | None, *, keys: Keys, admission: Admission) -> APIRouter:
    """`access`: None where sessions are off. Each request spends one of its key's requests: ids are not to be tried."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

    async def admitted(request: Request, response: Response) -> tuple[SessionAccess, str]:
        """Whose sessions, and the tenant."""
        caller = await keys.authenticate(bearer_token(single_header(request.scope, b"authorization")))
        for name, value in wire_headers(await admission.spend(caller, 0)):
            response.headers[name.decode()] = value.decode()
        if access is None:
            raise SessionsDisabled("Sessions are off on this gateway (SESSIONS_ENABLED=false).")
        return access, caller.tenant

    @router.post("", summary="Begin a session")
    async def begin(request: Request, response: Response) -> Json:
        sessions, tenant = await admitted(request, response)
        return await sessions.begin(tenant)

    @router.get("/{session_id}", summary="What a session remembers")
    async def show(request: Request, response: Response, session_id: _Id) -> Json:
        sessions, tenant = await admitted(request, response)
        return await sessions.show(tenant, session_id)

    @router.delete("/{session_id}", summary="Delete a session")
    async def delete(request: Request, response: Response, session_id: _Id) -> Json:
        sessions, tenant = await admitted(request, response)
        return await sessions.delete(tenant, session_id)

    return router


@contextmanager
def _told_if_away() -> Iterator[None]:
    try:
        yield
    except SessionStoreError as error:
        raise SessionsAway("the store of sessions is away, try again shortly", retry_after_s=1.0) from error


def _check(session_id: str) -> None:
    """What cannot be an id is none that there is."""
    if not is_session_id(session_id):
        raise _unknown()


def _contents(session: Session) -> Json:
    return {
        "system": list(session.system),
        "turns": [
            {"created": int(turn.at_s), "question": turn.question, "messages": list(turn.messages)}
            for turn in session.turns
        ],
    }


def _unknown() -> NotFound:
    """In the same words for what never was, has expired, was deleted, or is another tenant's."""
    return NotFound("There is no such session, or it has expired.", param="session_id", code="session_not_found")
