"""Budgets, with their link to Redis and their look at the ledger."""

from __future__ import annotations

import time
from secrets import token_hex

from api.settings import Settings
from api.tenants.base import Prices
from api.tenants.budgets.keeper import Keeper
from api.tenants.budgets.ledger_sums import PostgresLedgerSums
from api.tenants.budgets.months import Months
from api.tenants.budgets.redis_budgets import RedisBudgets
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState
from api.tenants.budgets.telling import Spans
from api.tenants.budgets.till import Till
from api.tenants.budgets.worst_case import WorstCase
from observability.metrics import Metrics
from resilience.redis_link import RedisLink
from serving.catalogue.base import Catalogue

# A call that has used up its time still has to end.
_AFTER_THE_LAST_CALL_S = 60.0
_LEASE_S = 600.0


def redis_budgets(settings: Settings, metrics: Metrics, *, catalogue: Catalogue, prices: Prices) -> RedisBudgets:
    def on_change(connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
        reporting.link_changed(connected, reason)
        keeper.run_lost()

    reporting, months = Reporting(metrics), Months()
    link = RedisLink(
        url=settings.stores.redis_address, timeout_s=settings.tenants.budget_timeout_s, on_change=on_change
    )
    state = SharedState(link=link, worker=token_hex(8))
    sums = PostgresLedgerSums(database_url=settings.stores.database_address)
    hold_s = settings.upstream.request_timeout_s + _AFTER_THE_LAST_CALL_S
    keeper = Keeper(
        state=state,
        sums=sums,
        months=months,
        reporting=reporting,
        share_count=settings.gateway.workers * settings.gateway.gateway_replicas,
        spans=Spans(hold_s=hold_s, lease_s=_LEASE_S),
        clock=time.monotonic,
    )
    till = Till(
        link=link,
        state=state,
        keeper=keeper,
        sums=sums,
        months=months,
        reporting=reporting,
        hold_s=hold_s,
    )
    return RedisBudgets(till=till, worst_case=WorstCase(catalogue=catalogue, prices=prices), prices=prices)
