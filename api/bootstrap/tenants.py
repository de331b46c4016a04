"""Who may call, within which limits and budgets, and what is written down of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from api.bootstrap.budgets import redis_budgets
from api.bootstrap.directory import DirectoryServices, directory_services
from api.bootstrap.ledger import usage_ledger
from api.routes.admin_refusals import Refusals
from api.settings import Settings
from api.tenants.base import Directory, Keys, Prices
from api.tenants.budgets.redis_budgets import RedisBudgets
from api.tenants.ledger.usage_ledger import UsageLedger
from observability.metrics import Metrics
from resilience.limiter.switching import OnStateChange, SwitchingLimiter, redis_limiter
from serving.catalogue.base import Catalogue

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TenantServices:
    directory_services: DirectoryServices
    limiter: SwitchingLimiter
    budgets: RedisBudgets
    ledger: UsageLedger

    @property
    def keys(self) -> Keys:
        return self.directory_services.keys

    @property
    def prices(self) -> Prices:
        return self.directory_services.prices

    @property
    def directory(self) -> Directory:
        return self.directory_services.directory

    @property
    def refusals(self) -> Refusals:
        return Refusals(self.directory, keys=self.keys)

    def names(self) -> set[str]:
        """Of all tenants that this worker knows."""
        return self.directory_services.tenants()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            await self.ledger.start()
            held.push_async_callback(self.ledger.aclose)
            await held.enter_async_context(self.directory_services.running())
            await self.limiter.start()
            held.push_async_callback(self.limiter.aclose)
            held.push_async_callback(self.budgets.aclose)
            await self.budgets.start()
            yield


def tenant_services(settings: Settings, metrics: Metrics, catalogue: Catalogue) -> TenantServices:
    directory = directory_services(settings, metrics)
    budgets = redis_budgets(settings, metrics, catalogue=catalogue, prices=directory.prices)
    return TenantServices(
        directory_services=directory,
        limiter=_limiter(settings, metrics),
        budgets=budgets,
        ledger=usage_ledger(settings, metrics, budgets=budgets),
    )


def _limiter(settings: Settings, metrics: Metrics) -> SwitchingLimiter:
    return redis_limiter(
        url=settings.stores.redis_address,
        share_count=settings.gateway.workers * settings.gateway.gateway_replicas,
        on_state_change=_limiter_reporter(metrics),
        timeout_s=settings.limits.rate_limit_timeout_s,
    )


def _limiter_reporter(metrics: Metrics) -> OnStateChange:
    def report(degraded: bool, reason: str) -> None:  # noqa: FBT001 - the limiter's callback signature
        metrics.limiter_local.set(int(degraded))
        if degraded:
            logger.warning("limits are enforced by each worker alone: Redis is away", extra={"reason": reason})
        else:
            logger.info("limits are shared over Redis again", extra={"reason": reason})

    return report
