"""What the admin API of tenants asks; where it is off there is nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from api.bootstrap.tenants import TenantServices
from api.routes.admin_parts import AdminParts
from api.settings import Settings
from api.usage.base import WaitingRows
from api.usage.postgres import PostgresUsage
from serving.catalogue.base import Catalogue

# A month of a large platform is read in a fraction of a second; what engines did is read from the ledger itself.
_REPORT_TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class AdminServices:
    parts: AdminParts | None = None
    usage: PostgresUsage | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            if self.usage is not None:
                held.push_async_callback(self.usage.aclose)
            yield


def admin_services(settings: Settings, catalogue: Catalogue, tenants: TenantServices) -> AdminServices:
    if not settings.admin.admin_api_key.get_secret_value():
        return AdminServices()
    usage = PostgresUsage(database_url=settings.stores.database_address, timeout_s=_REPORT_TIMEOUT_S)
    parts = AdminParts(
        directory=tenants.directory,
        usage=usage,
        waiting=_Nobody(),
        spending=tenants.budgets,
        catalogue=catalogue,
        configured_tenants=frozenset(settings.keys.tenants_by_key().values()),
    )
    return AdminServices(parts=parts, usage=usage)


class _Nobody(WaitingRows):
    """Can say how many rows are on their way."""

    async def waiting(self) -> int | None:
        return None
