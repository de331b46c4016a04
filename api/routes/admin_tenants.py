"""`/admin/v1/tenants`: who shares the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.errors import InvalidRequest
from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import Body, LaneName, NewTenantName, Parameters, TenantName, Weight
from api.routes.admin_parts import AdminParts, refuse_another_tenant
from api.tenants.types import Actor, Lane, Tenant

BY = Depends(admin_actor)


class NewTenant(Body):
    name: NewTenantName
    weight: Weight = 1.0
    lane: LaneName = Lane.INTERACTIVE


class TenantChange(Body):
    """What is left out stays as it is."""

    name: TenantName | None = None
    """The one of the path, if any: tenants are not renamed."""
    weight: Weight | None = None
    lane: LaneName | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantList:
    tenants: list[Tenant]


def admin_tenants_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/tenants", tags=["admin"])
    directory = parts.directory

    @router.get("", name="tenant.list", summary="All tenants")
    async def tenants(_: Annotated[Parameters, Query()], by: Actor = BY) -> TenantList:
        with administered("tenant.list", by):
            return TenantList(tenants=list(await directory.tenants()))

    @router.post("", name="tenant.create", summary="A new tenant", status_code=201)
    async def create(body: NewTenant, by: Actor = BY) -> Tenant:
        with administered("tenant.create", by, tenant=body.name):
            return await directory.create_tenant(body.name, weight=body.weight, lane=body.lane, by=by)

    @router.get("/{name}", name="tenant.get", summary="One tenant")
    async def get(name: Annotated[TenantName, Path()], by: Actor = BY) -> Tenant:
        with administered("tenant.get", by, tenant=name):
            return await parts.tenant(name)

    @router.patch("/{name}", name="tenant.change", summary="Change its weight or lane, disable or enable it")
    async def change(name: Annotated[TenantName, Path()], body: TenantChange, by: Actor = BY) -> Tenant:
        with administered("tenant.change", by, tenant=name):
            if body.name not in (None, name):
                refuse_another_tenant(f"The path names the tenant {name!r}, and the body {body.name!r}.")
            if (body.weight, body.lane, body.disabled) == (None, None, None):
                text = "There is nothing to change: give weight, lane or disabled."
                raise InvalidRequest(text, param="body", code="missing_required_parameter")
            return await directory.change_tenant(
                name, weight=body.weight, lane=body.lane, disabled=body.disabled, by=by
            )

    return router
