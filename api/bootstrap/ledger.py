"""How usage rows reach Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.settings import LedgerSettings, Settings
from api.tenants.base import BudgetBook
from api.tenants.ledger.drainer import Drainer, Pace
from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.orphans import CallsUnderWay, Orphans
from api.tenants.ledger.postgres_probe import PostgresProbe
from api.tenants.ledger.redis_rows import RedisRows
from api.tenants.ledger.reporting import Reporting
from api.tenants.ledger.table import LedgerTable
from api.tenants.ledger.usage_ledger import LedgerLinks, UsageLedger
from api.tenants.ledger.writer import RowWriter
from observability.metrics import Metrics
from resilience.redis_link import RedisLink

# Nobody waits for the drainer: it may take its time with a thousand rows.
_DRAIN_REDIS_TIMEOUT_S = 2.0
_POSTGRES_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Stores:
    redis_url: str
    database_url: str


def usage_ledger(settings: Settings, metrics: Metrics, *, budgets: BudgetBook) -> UsageLedger:
    return ledger_at(
        Stores(settings.stores.redis_address, settings.stores.database_address),
        folder=ledger_folder(settings),
        most_calls=settings.gateway.max_inflight_per_worker,
        settings=settings.ledger,
        metrics=metrics,
        budgets=budgets,
    )


def ledger_folder(settings: Settings) -> Path:
    """Where rows wait that Redis could not keep."""
    return settings.embedded.data_dir.absolute() / "ledger"


def ledger_at(
    stores: Stores,
    *,
    budgets: BudgetBook,
    folder: Path,
    most_calls: int,
    settings: LedgerSettings,
    metrics: Metrics,
    pace: Pace | None = None,
) -> UsageLedger:
    """`most_calls`: that this worker may have at engines at a time."""
    reporting, local = Reporting(metrics), LocalRows(folder)
    calls = CallsUnderWay(folder, slots=most_calls)
    links = _links(stores.redis_url, settings.ledger_timeout_s, on_lost=lambda: writer.forget_what_redis_said())  # noqa: PLW0108 - made below
    shared, drained = (
        RedisRows(link, max_rows=settings.ledger_stream_max_rows) for link in (links.writer, links.drainer)
    )
    writer = RowWriter(shared=shared, local=local, reporting=reporting, on_kept=calls.leave)
    table = LedgerTable(database_url=stores.database_url, timeout_s=_POSTGRES_TIMEOUT_S)
    drainer = Drainer(
        shared=drained,
        local=local,
        writer=writer,
        table=table,
        reporting=reporting,
        book_orphans=Orphans(folder, local=local, budgets=budgets).book,
        pace=pace,
    )
    probe = PostgresProbe(database_url=stores.database_url, timeout_s=_POSTGRES_TIMEOUT_S)
    return UsageLedger(writer=writer, drainer=drainer, calls=calls, links=links, table=table, probe=probe)


def _links(redis_url: str, timeout_s: float, *, on_lost: Callable[[], None]) -> LedgerLinks:
    def on_change(connected: bool, reason: str) -> None:  # noqa: ARG001, FBT001 - the link's callback
        if not connected:
            on_lost()

    def ignore(connected: bool, reason: str) -> None:  # noqa: FBT001 - as above
        pass

    return LedgerLinks(
        writer=RedisLink(url=redis_url, timeout_s=timeout_s, on_change=on_change),
        drainer=RedisLink(url=redis_url, timeout_s=_DRAIN_REDIS_TIMEOUT_S, on_change=ignore),
    )
