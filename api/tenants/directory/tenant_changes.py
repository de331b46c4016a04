"""Tenants in Postgres."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg.sql import SQL

from api.tenants.directory import checked
from api.tenants.directory.changes import AuditLine, Change, Row
from api.tenants.errors import NoSuchTenant, TenantDisabled, TenantExists
from api.tenants.types import Lane, Tenant

_COLUMNS = SQL("name, weight, lane, disabled_at, created_at")


async def every(change: Change) -> list[Tenant]:
    return [_tenant(row) for row in await change.rows(SQL("SELECT {} FROM tenants ORDER BY name").format(_COLUMNS), {})]


async def existing(change: Change, name: str, *, active: bool = False) -> Tenant:
    """`active`: it must not be disabled. Raises NoSuchTenant and TenantDisabled."""
    row = await change.row(SQL("SELECT {} FROM tenants WHERE name = %(name)s").format(_COLUMNS), {"name": name})
    if row is None:
        raise NoSuchTenant(f"There is no tenant {name!r}.", param="tenant")
    if active and row["disabled_at"] is not None:
        raise TenantDisabled(f"The tenant {name!r} is disabled.", param="tenant")
    return _tenant(row)


async def create(change: Change, *, name: str, weight: float, lane: Lane) -> Tenant:
    """Raises TenantExists and InvalidValue."""
    values = {"name": checked.name(name, param="name"), "weight": checked.weight(weight), "lane": lane.value}
    row = await change.row(
        SQL(
            "INSERT INTO tenants (name, weight, lane, version) VALUES (%(name)s, %(weight)s, %(lane)s, %(version)s) "
            "ON CONFLICT (name) DO NOTHING RETURNING {}"
        ).format(_COLUMNS),
        values,
    )
    if row is None:
        raise TenantExists(f"There is a tenant {name!r} already.", param="name")
    tenant = _tenant(row)
    change.line = AuditLine(action="tenant.create", subject=name, tenant=name, after=msgspec.to_builtins(tenant))
    return tenant


async def create_missing(change: Change, *, names: Sequence[str]) -> list[str]:
    """Those of `names` that were made. Raises InvalidValue."""
    rows = await change.rows(
        "INSERT INTO tenants (name, version) SELECT name, %(version)s FROM unnest(%(names)s::text[]) AS name "
        "ON CONFLICT (name) DO NOTHING RETURNING name",
        {"names": [checked.name(name, param="API_KEYS") for name in names]},
    )
    made = sorted(row["name"] for row in rows)
    if made:
        change.line = AuditLine(
            action="tenant.create",
            subject=made[0] if len(made) == 1 else f"{len(made)} tenants",
            tenant=made[0] if len(made) == 1 else None,
            after={"names": made},
        )
    return made


async def alter(change: Change, *, name: str, weight: float | None, lane: Lane | None, disabled: bool | None) -> Tenant:
    """Raises NoSuchTenant and InvalidValue."""
    before = await existing(change, name)
    row = await change.the_row(
        SQL(
            "UPDATE tenants SET weight = coalesce(%(weight)s, weight), lane = coalesce(%(lane)s, lane), "
            "disabled_at = CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_at "
            "WHEN %(disabled)s THEN coalesce(disabled_at, now()) END, version = %(version)s "
            "WHERE name = %(name)s RETURNING {}"
        ).format(_COLUMNS),
        {
            "name": name,
            "weight": None if weight is None else checked.weight(weight),
            "lane": None if lane is None else lane.value,
            "disabled": disabled,
        },
    )
    after = _tenant(row)
    if after != before:
        change.line = AuditLine(
            action="tenant.change",
            subject=name,
            tenant=name,
            before=msgspec.to_builtins(before),
            after=msgspec.to_builtins(after),
        )
    return after


def _tenant(row: Row) -> Tenant:
    return Tenant(**row | {"lane": Lane(row["lane"])})
