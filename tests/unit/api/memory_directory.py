"""A directory that lives in memory, with the rules of the real one; it can be told to be away."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

from api.tenants.errors import (
    DirectoryAway,
    KeyEnded,
    NoSuchKey,
    NoSuchPrice,
    NoSuchTenant,
    PriceBegun,
    PriceGap,
    PriceOverlap,
    TenantDisabled,
    TenantExists,
)
from api.tenants.types import Actor, ApiKey, AuditEntry, IssuedKey, Lane, Limit, PricePeriod, Tenant, TenantBudget

_T = TypeVar("_T")


@dataclass
class MemoryDirectory:
    is_away: bool = False
    audit_log: list[AuditEntry] = field(default_factory=list)
    _tenants: dict[str, Tenant] = field(default_factory=dict)
    _keys: dict[str, ApiKey] = field(default_factory=dict)
    _limits: dict[tuple[str, str | None, str | None], Limit] = field(default_factory=dict)
    _budgets: dict[str, TenantBudget] = field(default_factory=dict)
    _prices: list[PricePeriod] = field(default_factory=list)

    async def tenants(self) -> Sequence[Tenant]:
        self._answer()
        return list(self._tenants.values())

    async def create_tenant(self, name: str, *, weight: float, lane: Lane, by: Actor) -> Tenant:
        self._answer()
        if name in self._tenants:
            raise TenantExists(f"There is a tenant {name!r} already.", param="name")
        self._tenants[name] = Tenant(name=name, weight=weight, lane=lane, created_at=now())
        return self._note("tenant.create", name, self._tenants[name], by, tenant=name)

    async def change_tenant(
        self, name: str, *, weight: float | None, lane: Lane | None, disabled: bool | None, by: Actor
    ) -> Tenant:
        tenant = self._tenant(name)
        disabled_at = tenant.disabled_at if disabled is None else (now() if disabled else None)
        tenant = replace(tenant, weight=weight or tenant.weight, lane=lane or tenant.lane, disabled_at=disabled_at)
        self._tenants[name] = tenant
        return self._note("tenant.change", name, tenant, by, tenant=name)

    async def keys(self, tenant: str | None, *, after: str | None, limit: int) -> Sequence[ApiKey]:
        self._answer()
        if tenant is not None:
            self._tenant(tenant)
        found = sorted((key for key in self._keys.values() if tenant in (None, key.tenant)), key=lambda key: key.id)
        return [key for key in found if after is None or key.id > after][:limit]

    async def key(self, key_id: str) -> ApiKey:
        self._answer()
        if key_id not in self._keys:
            raise NoSuchKey(f"There is no key {key_id!r}.", param="key_id")
        return self._keys[key_id]

    async def create_key(
        self, tenant: str, *, name: str, lane: Lane | None, expires_at: datetime | None, by: Actor
    ) -> IssuedKey:
        if self._tenant(tenant).disabled_at is not None:
            raise TenantDisabled(f"The tenant {tenant!r} is disabled.", param="tenant")
        issued = self._issued(tenant, name, lane, expires_at, None)
        self._note("key.create", issued.key.id, issued.key, by, tenant=tenant)
        return issued

    async def rotate_key(self, key_id: str, *, grace_s: float, by: Actor) -> IssuedKey:
        old = self._live_key(key_id)
        self._keys[key_id] = replace(old, expires_at=now() + timedelta(seconds=grace_s))
        issued = self._issued(old.tenant, old.name, old.lane, old.expires_at, old.id)
        self._note("key.rotate", key_id, issued.key, by, tenant=old.tenant)
        return issued

    async def revoke_key(self, key_id: str, *, by: Actor) -> ApiKey:
        self._keys[key_id] = replace(self._live_key(key_id), revoked_at=now())
        return self._note("key.revoke", key_id, self._keys[key_id], by, tenant=self._keys[key_id].tenant)

    async def limits(self, tenant: str | None, *, skip: int, most: int) -> Sequence[Limit]:
        self._answer()
        if tenant is not None:
            self._tenant(tenant)
        return [limit for limit in self._limits.values() if tenant in (None, limit.tenant)][skip:][:most]

    async def limit(self, tenant: str, *, key_id: str | None, model: str | None) -> Limit | None:
        self._answer()
        return self._limits.get((tenant, key_id, model))

    async def set_limit(self, limit: Limit, *, by: Actor) -> Limit:
        self._tenant(limit.tenant)
        place = (limit.tenant, limit.key_id, limit.model)
        self._limits[place] = limit
        if limit.requests_per_minute is None and limit.tokens_per_minute is None:
            del self._limits[place]
        return self._note("limit.set", limit.tenant, limit, by, tenant=limit.tenant)

    async def budgets(self) -> Sequence[TenantBudget]:
        self._answer()
        return list(self._budgets.values())

    async def set_budget(
        self, tenant: str, *, amount_usd: Decimal | None, soft_share: float, by: Actor
    ) -> TenantBudget | None:
        self._tenant(tenant)
        self._budgets.pop(tenant, None)
        if amount_usd is None:
            self._note("budget.set", tenant, None, by, tenant=tenant)
            return None
        budget = self._budgets[tenant] = TenantBudget(tenant=tenant, amount_usd=amount_usd, soft_share=soft_share)
        return self._note("budget.set", tenant, budget, by, tenant=tenant)

    async def prices(self, model: str | None) -> Sequence[PricePeriod]:
        self._answer()
        return [price for price in self._prices if model in (None, price.model)]

    async def set_price(self, price: PricePeriod, *, by: Actor) -> PricePeriod:
        self._answer()
        earlier = [other for other in self._prices if other.model == price.model]
        if earlier:
            last = earlier[-1]
            if price.valid_from <= last.valid_from:
                raise PriceOverlap("There is a price for that time already.", param="valid_from")
            if last.valid_until is not None and last.valid_until < price.valid_from:
                raise PriceGap("There would be no price for some time.", param="valid_from")
            self._prices[self._prices.index(last)] = replace(last, valid_until=price.valid_from)
        self._prices.append(price)
        return self._note("price.set", price.model, price, by)

    async def remove_price(self, model: str, valid_from: datetime, *, by: Actor) -> None:
        self._answer()
        found = [price for price in self._prices if (price.model, price.valid_from) == (model, valid_from)]
        if not found:
            raise NoSuchPrice(f"{model} has no price that begins then.", param="valid_from")
        if valid_from <= now():
            raise PriceBegun("The price has begun.", param="valid_from")
        self._prices.remove(found[0])
        self._note("price.remove", model, None, by)

    async def audit(
        self, *, tenant: str | None, since: datetime | None, before_id: int | None, limit: int
    ) -> Sequence[AuditEntry]:
        self._answer()
        return [
            entry
            for entry in reversed(self.audit_log)
            if tenant in (None, entry.tenant)
            and (since is None or entry.at >= since)
            and (before_id is None or entry.id < before_id)
        ][:limit]

    def note_refusal(self, *, action: str, subject: str, code: str, by: Actor) -> None:
        self._write(action=action, subject=subject, outcome="refused", code=code, by=by, tenant=None, after=None)

    def _answer(self) -> None:
        if self.is_away:
            raise DirectoryAway("connection to 10.0.0.1 refused")

    def _tenant(self, name: str) -> Tenant:
        self._answer()
        if name not in self._tenants:
            raise NoSuchTenant(f"There is no tenant {name!r}.", param="tenant")
        return self._tenants[name]

    def _live_key(self, key_id: str) -> ApiKey:
        self._answer()
        if key_id not in self._keys:
            raise NoSuchKey(f"There is no key {key_id!r}.", param="key_id")
        if self._keys[key_id].revoked_at is not None:
            raise KeyEnded(f"The key {key_id} is revoked.", param="key_id")
        return self._keys[key_id]

    def _issued(
        self, tenant: str, name: str, lane: Lane | None, expires_at: datetime | None, replaces: str | None
    ) -> IssuedKey:
        key_id = f"key-{len(self._keys) + 1}"
        secret = f"sk-{secrets.token_urlsafe(24)}"
        key = self._keys[key_id] = ApiKey(
            id=key_id,
            tenant=tenant,
            name=name,
            prefix=secret[:7],
            lane=lane,
            created_at=now(),
            expires_at=expires_at,
            revoked_at=None,
            replaces=replaces,
        )
        return IssuedKey(key=key, secret=secret)

    def _note(self, action: str, subject: str, changed: _T, by: Actor, tenant: str | None = None) -> _T:
        after: dict[str, object] | None = None
        if changed is not None:
            after = {each.name: str(getattr(changed, each.name)) for each in fields(cast("Any", changed))}
        self._write(action=action, subject=subject, outcome="done", code="", by=by, tenant=tenant, after=after)
        return changed

    def _write(self, *, by: Actor, after: dict[str, object] | None, **what: Any) -> None:
        entry = AuditEntry(
            id=len(self.audit_log) + 1,
            at=now(),
            actor=by.id,
            actor_name=by.name,
            before=None,
            after=after,
            request_id=by.request_id,
            **what,
        )
        self.audit_log.append(entry)


def now() -> datetime:
    return datetime.now(UTC)
