"""Changes as tests make them, with values that tests do not care about."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.errors import Unauthenticated
from api.tenants.types import AuditEntry, Lane, PricePeriod
from tests.integration.api.tenants.directory.registry import BY, Listener, Registry, until

JAN, FEB, MAR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


async def tenant(registry: Registry, name: str = "acme") -> str:
    await registry.directory.create_tenant(name, weight=1.0, lane=Lane.INTERACTIVE, by=BY)
    return name


async def key(registry: Registry, name: str = "acme", **changes: Any) -> Any:
    values: dict[str, Any] = {"name": "backend", "lane": None, "expires_at": None, "by": BY}
    return await registry.directory.create_key(name, **values | changes)


def price(valid_from: datetime, valid_until: datetime | None = None, **changes: Any) -> PricePeriod:
    values: dict[str, Any] = {
        "model": "m",
        "prefill_usd": Decimal("0.15"),
        "decode_usd": Decimal("0.600001"),
        "cached_usd": Decimal(0),
        "valid_from": valid_from,
        "valid_until": valid_until,
    }
    return PricePeriod(**values | changes)


async def lines(registry: Registry) -> list[AuditEntry]:
    """The oldest first."""
    return [*reversed(await registry.directory.audit(tenant=None, since=None, before_id=None, limit=100))]


async def version(registry: Registry) -> int:
    ((found,),) = await registry.rows("SELECT version FROM directory_state")
    return int(found)


async def refused(listener: Listener, secret: str) -> None:
    """Wait until it is."""
    async with asyncio.timeout(30):
        while True:
            try:
                await listener.keys.authenticate(secret)
            except Unauthenticated:
                return
            await asyncio.sleep(0.01)


async def at_the_latest(registry: Registry, *listeners: Listener) -> None:
    """Wait until they have all that was changed."""
    latest = await version(registry)
    await until(lambda: all(listener.version == latest for listener in listeners))
