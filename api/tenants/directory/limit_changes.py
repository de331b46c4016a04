"""Limits and budgets in Postgres."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

import msgspec
from psycopg.sql import SQL

from api.tenants.directory import checked, key_changes, tenant_changes
from api.tenants.directory.changes import AuditLine, Change, Row
from api.tenants.errors import NoSuchKey
from api.tenants.types import Limit, TenantBudget

_LIMIT = SQL("tenant, key_id, model, requests_per_minute, tokens_per_minute")
_SET_LIMIT = SQL("""
INSERT INTO limits ({}, version)
VALUES (%(tenant)s, %(key_id)s, %(model)s, %(requests_per_minute)s, %(tokens_per_minute)s, %(version)s)
ON CONFLICT (tenant, key_id, model) DO UPDATE SET requests_per_minute = excluded.requests_per_minute,
    tokens_per_minute = excluded.tokens_per_minute, version = excluded.version
""").format(_LIMIT)
_BUDGET = SQL("tenant, amount_usd, soft_share")


async def limits(change: Change, *, tenant: str | None, skip: int, most: int) -> list[Limit]:
    """There may be one for each of 100,000 keys, so never all at once. Raises NoSuchTenant."""
    if tenant is not None:
        await tenant_changes.existing(change, tenant)
    rows = await change.rows(
        SQL(
            "SELECT {} FROM limits WHERE (%(tenant)s::text IS NULL OR tenant = %(tenant)s) "
            "AND num_nonnulls(requests_per_minute, tokens_per_minute) > 0 "
            "ORDER BY tenant, key_id NULLS FIRST, model NULLS FIRST OFFSET %(skip)s LIMIT %(most)s"
        ).format(_LIMIT),
        {"tenant": tenant, "skip": skip, "most": most},
    )
    return [Limit(**row) for row in rows]


async def set_limit(change: Change, *, limit: Limit) -> Limit:
    """Raises NoSuchTenant, NoSuchKey and InvalidValue."""
    await tenant_changes.existing(change, limit.tenant)
    if limit.key_id is not None:
        key = await key_changes.existing(change, limit.key_id)
        if key.tenant != limit.tenant:
            raise NoSuchKey(f"The tenant {limit.tenant!r} has no key {limit.key_id!r}.", param="key_id")
    if limit.model is not None:
        checked.name(limit.model, param="model")
    checked.limit(limit.requests_per_minute, param="requests_per_minute")
    checked.limit(limit.tokens_per_minute, param="tokens_per_minute")
    values = asdict(limit)
    before = await limit_of(change, tenant=limit.tenant, key_id=limit.key_id, model=limit.model)
    after = None if limit.requests_per_minute is None and limit.tokens_per_minute is None else limit
    if before != after:
        await change.rows(_SET_LIMIT, values)
        change.line = AuditLine(
            action="limit.set" if after is not None else "limit.remove",
            subject=limit.key_id or limit.tenant,
            tenant=limit.tenant,
            before=_shown(before),
            after=_shown(after),
        )
    return limit


async def limit_of(change: Change, *, tenant: str, key_id: str | None, model: str | None) -> Limit | None:
    values = {"tenant": tenant, "key_id": key_id, "model": model}
    row = await change.row(
        SQL(
            "SELECT {} FROM limits WHERE tenant = %(tenant)s AND key_id IS NOT DISTINCT FROM %(key_id)s "
            "AND model IS NOT DISTINCT FROM %(model)s AND num_nonnulls(requests_per_minute, tokens_per_minute) > 0"
        ).format(_LIMIT),
        values,
    )
    return None if row is None else Limit(**row)


async def budgets(change: Change) -> list[TenantBudget]:
    rows = await change.rows(
        SQL("SELECT {} FROM budgets WHERE amount_usd IS NOT NULL ORDER BY tenant").format(_BUDGET), {}
    )
    return [_budget(row) for row in rows]


async def set_budget(
    change: Change, *, tenant: str, amount_usd: Decimal | None, soft_share: float
) -> TenantBudget | None:
    """Raises NoSuchTenant and InvalidValue."""
    await tenant_changes.existing(change, tenant)
    values: Row = {"tenant": tenant, "amount_usd": amount_usd, "soft_share": checked.soft_share(soft_share)}
    if amount_usd is not None:
        checked.amount_usd(amount_usd)
    row = await change.row(SQL("SELECT {} FROM budgets WHERE tenant = %(tenant)s").format(_BUDGET), values)
    before = None if row is None or row["amount_usd"] is None else _budget(row)
    if before is None and amount_usd is None:
        return None
    row = await change.the_row(
        SQL(
            "INSERT INTO budgets ({}, version) "
            "VALUES (%(tenant)s, %(amount_usd)s, %(soft_share)s, %(version)s) "
            "ON CONFLICT (tenant) DO UPDATE SET amount_usd = excluded.amount_usd, soft_share = excluded.soft_share, "
            "version = excluded.version RETURNING {}"
        ).format(_BUDGET, _BUDGET),
        values,
    )
    after = None if amount_usd is None else _budget(row)
    if after != before:
        change.line = AuditLine(
            action="budget.set" if after is not None else "budget.remove",
            subject=tenant,
            tenant=tenant,
            before=_shown(before),
            after=_shown(after),
        )
    return after


def _budget(row: Row) -> TenantBudget:
    return TenantBudget(**row | {"soft_share": float(row["soft_share"])})


def _shown(of: Limit | TenantBudget | None) -> Row | None:
    shown: Row | None = msgspec.to_builtins(of)
    return shown
