"""The directory for those who change it, over Postgres."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

import psycopg

from api.postgres_link import PostgresLink
from api.tenants.directory import audit_log, key_changes, limit_changes, price_changes, tenant_changes
from api.tenants.directory.changes import Changes, adopt
from api.tenants.directory.refusals import Refusals
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.types import (
    Actor,
    ApiKey,
    AuditEntry,
    IssuedKey,
    Lane,
    Limit,
    PricePeriod,
    Tenant,
    TenantBudget,
)

logger = logging.getLogger(__name__)


class PostgresDirectory:
    """Belongs to one event loop; connects with its first call."""

    def __init__(self, *, database_url: str, digests: KeyDigests, timeout_s: float = 5.0) -> None:
        """`timeout_s`: for one change, connecting and waiting for the changes of others included."""
        self._digests = digests
        self._link = PostgresLink(
            database_url=database_url, timeout_s=timeout_s, prepare=_nothing, adopt=adopt, on_change=_report
        )
        self._changes = Changes(self._link)
        self._refusals = Refusals(self._changes)

    async def start(self) -> None:
        """Begin to write refusals; Postgres may be away."""
        await self._refusals.start()

    async def aclose(self) -> None:
        await self._refusals.aclose()
        await self._link.aclose()

    async def tenants(self) -> Sequence[Tenant]:
        return await self._changes.read(tenant_changes.every)

    async def create_tenant(self, name: str, *, weight: float, lane: Lane, by: Actor) -> Tenant:
        work = partial(tenant_changes.create, name=name, weight=weight, lane=lane)
        return await self._changes.make(work, by=by)

    async def create_missing_tenants(self, names: Sequence[str], *, by: Actor) -> Sequence[str]:
        """Those that were made. Raises InvalidValue and DirectoryAway."""
        return await self._changes.make(partial(tenant_changes.create_missing, names=names), by=by)

    async def change_tenant(
        self, name: str, *, weight: float | None, lane: Lane | None, disabled: bool | None, by: Actor
    ) -> Tenant:
        work = partial(tenant_changes.alter, name=name, weight=weight, lane=lane, disabled=disabled)
        return await self._changes.make(work, by=by)

    async def keys(self, tenant: str | None, *, after: str | None, limit: int) -> Sequence[ApiKey]:
        return await self._changes.read(partial(key_changes.page, tenant=tenant, after=after, limit=limit))

    async def key(self, key_id: str) -> ApiKey:
        return await self._changes.read(partial(key_changes.existing, key_id=key_id))

    async def create_key(
        self, tenant: str, *, name: str, lane: Lane | None, expires_at: datetime | None, by: Actor
    ) -> IssuedKey:
        work = partial(
            key_changes.create, new=self._digests.issue(), tenant=tenant, name=name, lane=lane, expires_at=expires_at
        )
        return await self._changes.make(work, by=by)

    async def rotate_key(self, key_id: str, *, grace_s: float, by: Actor) -> IssuedKey:
        work = partial(key_changes.rotate, new=self._digests.issue(), key_id=key_id, grace_s=grace_s)
        return await self._changes.make(work, by=by)

    async def revoke_key(self, key_id: str, *, by: Actor) -> ApiKey:
        return await self._changes.make(partial(key_changes.revoke, key_id=key_id), by=by)

    async def limits(self, tenant: str | None, *, skip: int, most: int) -> Sequence[Limit]:
        return await self._changes.read(partial(limit_changes.limits, tenant=tenant, skip=skip, most=most))

    async def limit(self, tenant: str, *, key_id: str | None, model: str | None) -> Limit | None:
        work = partial(limit_changes.limit_of, tenant=tenant, key_id=key_id, model=model)
        return await self._changes.read(work)

    async def set_limit(self, limit: Limit, *, by: Actor) -> Limit:
        return await self._changes.make(partial(limit_changes.set_limit, limit=limit), by=by)

    async def budgets(self) -> Sequence[TenantBudget]:
        return await self._changes.read(limit_changes.budgets)

    async def set_budget(
        self, tenant: str, *, amount_usd: Decimal | None, soft_share: float, by: Actor
    ) -> TenantBudget | None:
        work = partial(limit_changes.set_budget, tenant=tenant, amount_usd=amount_usd, soft_share=soft_share)
        return await self._changes.make(work, by=by)

    async def prices(self, model: str | None) -> Sequence[PricePeriod]:
        return await self._changes.read(partial(price_changes.periods, model=model))

    async def set_price(self, price: PricePeriod, *, by: Actor) -> PricePeriod:
        return await self._changes.make(partial(price_changes.set_price, price=price), by=by)

    async def remove_price(self, model: str, valid_from: datetime, *, by: Actor) -> None:
        work = partial(price_changes.remove_price, model=model, valid_from=valid_from)
        await self._changes.make(work, by=by)

    async def audit(
        self, *, tenant: str | None, since: datetime | None, before_id: int | None, limit: int
    ) -> Sequence[AuditEntry]:
        work = partial(audit_log.entries, tenant=tenant, since=since, before_id=before_id, limit=limit)
        return await self._changes.read(work)

    def note_refusal(self, *, action: str, subject: str, code: str, by: Actor) -> None:
        self._refusals.note(action=action, subject=subject, code=code, by=by)


async def _nothing(connection: psycopg.AsyncConnection) -> None:
    """The schema is the business of migrations."""


def _report(connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
    if connected:
        logger.info("tenants and keys can be changed")
    else:
        logger.warning("tenants and keys cannot be changed: Postgres is away", extra={"reason": reason})
