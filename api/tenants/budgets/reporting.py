"""What budgets say to the metrics and to the log."""

from __future__ import annotations

import logging

from api.tenants.budgets.account import Account
from api.tenants.budgets.shared_state import Standing
from api.tenants.types import NANO_PER_USD
from observability.metrics import Metrics

logger = logging.getLogger(__name__)


class Reporting:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._was_away = False

    def link_changed(self, connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
        self._metrics.budget_local.set(int(not connected))
        if connected and self._was_away:
            logger.info("budgets are kept in Redis again", extra={"reason": reason})
        elif not connected:
            self._was_away = True
            logger.warning("budgets are spent out of each worker's lease: Redis is away", extra={"reason": reason})

    def stands(self, account: Account, standing: Standing) -> None:
        if not account.is_budgeted:
            return
        budget, tenant = account.budget.amount_nano, account.tenant
        self._metrics.budget_used_ratio.labels(tenant).set(standing.spent / budget if budget else 1.0)
        self._metrics.budget_held_usd.labels(tenant).set((standing.held - standing.leased) / NANO_PER_USD)
        if standing.crossed:
            self._metrics.budget_soft_crossings.labels(tenant).inc()
            share = account.budget.soft_share
            extra = {"tenant": tenant, "month": account.month, "soft_share": share}
            logger.warning("a tenant has spent its budget down to the soft threshold", extra=extra)

    def month_ended(self, account: Account) -> None:
        """And nobody has spent anything in the new one here."""
        self._metrics.budget_used_ratio.labels(account.tenant).set(0.0)
        self._metrics.budget_held_usd.labels(account.tenant).set(0.0)

    def refused(self, tenant: str, reason: str) -> None:
        """`exhausted`, or `away`: nobody can say what is left."""
        self._metrics.budget_refused.labels(tenant, reason).inc()
