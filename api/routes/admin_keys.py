"""`/admin/v1/keys`: what callers show, which nobody sees a second time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import Field

from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import Body, GraceSeconds, KeyId, KeyName, LaneName, Moment, Parameters, TenantName
from api.routes.admin_parts import AdminParts, page_of
from api.tenants.types import Actor, ApiKey, IssuedKey

_DAY_S = 86_400.0
MAX_KEYS_OF_A_PAGE = 1_000
BY = Depends(admin_actor)


class NewKey(Body):
    tenant: TenantName
    name: KeyName = ""
    lane: LaneName | None = None
    expires_at: Moment | None = None


class Rotation(Body):
    grace_s: GraceSeconds = _DAY_S
    tenant: TenantName | None = None
    """Whose key it is, if said: the key of another one is refused."""


class Revocation(Body):
    tenant: TenantName | None = None
    """As for a rotation."""


class KeysOf(Parameters):
    tenant: TenantName | None = None
    after: KeyId | None = None
    """Keys after this one, in the order of their ids: `next_after` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MAX_KEYS_OF_A_PAGE)] = MAX_KEYS_OF_A_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    keys: list[ApiKey]
    next_after: str | None
    """For the next page; None: this is the last."""


def admin_keys_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/keys", tags=["admin"])

    @router.get("", name="key.list", summary="API keys, without their secrets")
    async def keys(query: Annotated[KeysOf, Query()], by: Actor = BY) -> KeyList:
        with administered("key.list", by, tenant=query.tenant):
            found = await parts.directory.keys(query.tenant, after=query.after, limit=query.limit + 1)
            shown, last = page_of(found, query.limit)
            return KeyList(keys=shown, next_after=last.id if last is not None else None)

    @router.post("", name="key.create", summary="A new key, whose secret is shown this once", status_code=201)
    async def create(body: NewKey, response: Response, by: Actor = BY) -> IssuedKey:
        with administered("key.create", by, tenant=body.tenant):
            _keep_nowhere(response)
            return await parts.directory.create_key(
                body.tenant, name=body.name, lane=body.lane, expires_at=body.expires_at, by=by
            )

    _add_ends(router, parts)
    return router


def _add_ends(router: APIRouter, parts: AdminParts) -> None:
    """What makes an end of a key, soon or at once."""

    @router.post(
        "/{key_id}/rotate",
        name="key.rotate",
        summary="A new key for an old one, which goes on a while",
        status_code=201,
    )
    async def rotate(key_id: Annotated[KeyId, Path()], body: Rotation, response: Response, by: Actor = BY) -> IssuedKey:
        with administered("key.rotate", by, key=key_id):
            if body.tenant is not None:
                await parts.key_of(body.tenant, key_id)
            _keep_nowhere(response)
            return await parts.directory.rotate_key(key_id, grace_s=body.grace_s, by=by)

    @router.post("/{key_id}/revoke", name="key.revoke", summary="End a key, everywhere within a second")
    async def revoke(key_id: Annotated[KeyId, Path()], body: Revocation, by: Actor = BY) -> ApiKey:
        with administered("key.revoke", by, key=key_id):
            if body.tenant is not None:
                await parts.key_of(body.tenant, key_id)
            return await parts.directory.revoke_key(key_id, by=by)


def _keep_nowhere(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"
