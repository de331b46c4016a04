"""What the admin API of tenants asks; where it is off there is nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from api.bootstrap.ledger import ledger_folder
from api.bootstrap.tenants import TenantServices
from api.routes.admin_parts import AdminParts
from api.settings import Settings
from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.redis_rows import RedisRows
from api.tenants.ledger.waiting import RowsOnTheirWay
from api.usage.postgres import PostgresUsage
from resilience.redis_link import RedisLink
from serving.catalogue.base import Catalogue

# A month of a large platform is read in a fraction of a second; what engines did is read from the ledger itself.
_REPORT_TIMEOUT_S = 20.0
_REDIS_TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class AdminServices:
    parts: AdminParts | None = None
    usage: PostgresUsage | None = None
    redis: RedisLink | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for part in (self.usage, self.redis):
                if part is not None:
                    held.push_async_callback(part.aclose)
            yield


def admin_services(settings: Settings, catalogue: Catalogue, tenants: TenantServices) -> AdminServices:
    if not settings.admin.admin_api_key.get_secret_value():
        return AdminServices()
    redis = RedisLink(
        url=settings.stores.redis_address, timeout_s=_REDIS_TIMEOUT_S, on_change=lambda _connected, _reason: None
    )
    usage = PostgresUsage(database_url=settings.stores.database_address, timeout_s=_REPORT_TIMEOUT_S)
    parts = AdminParts(
        directory=tenants.directory,
        usage=usage,
        waiting=RowsOnTheirWay(shared=RedisRows(redis, max_rows=0), local=LocalRows(ledger_folder(settings))),
        spending=tenants.budgets,
        catalogue=catalogue,
        configured_tenants=frozenset(settings.keys.tenants_by_key().values()),
    )
    return AdminServices(parts=parts, usage=usage, redis=redis)
