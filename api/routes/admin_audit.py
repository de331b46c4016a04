"""`/admin/v1/audit`: who changed what, and who wanted what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import Moment, Parameters, TenantName
from api.routes.admin_parts import AdminParts, page_of
from api.tenants.types import Actor, AuditEntry

BY = Depends(admin_actor)
MAX_ENTRIES = 1_000


class Entries(Parameters):
    tenant: TenantName | None = None
    since: Moment | None = None
    before_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    """Entries older than this one: `next_before_id` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    entries: list[AuditEntry]
    """The newest first."""
    next_before_id: int | None
    """For the next page; None: there is no older one."""


def admin_audit_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/audit", tags=["admin"])

    @router.get("", name="audit.list", summary="Changes and refusals, the newest first")
    async def audit(query: Annotated[Entries, Query()], by: Actor = BY) -> AuditPage:
        with administered("audit.list", by, tenant=query.tenant):
            if query.tenant is not None:
                await parts.tenant(query.tenant)
            found = await parts.directory.audit(
                tenant=query.tenant, since=query.since, before_id=query.before_id, limit=query.limit + 1
            )
            shown, oldest = page_of(found, query.limit)
            return AuditPage(entries=shown, next_before_id=oldest.id if oldest is not None else None)

    return router
