"""One Redis, as many workers' tills as a test asks for, and a look behind their backs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from secrets import token_hex

import redis

from api.errors import BudgetExhausted, BudgetsAway
from api.tenants.budgets.account import Account, Hold
from api.tenants.budgets.keeper import Keeper
from api.tenants.budgets.months import Months
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState
from api.tenants.budgets.telling import Spans
from api.tenants.budgets.till import Till
from api.tenants.types import Budget
from observability.metrics import Metrics
from resilience.redis_link import RedisLink

TENANT, MONTH = "finsight", "2026-11"
SOON_S = 30.0


class Ledger:
    """What stands in the ledger, and whether it can be read."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], int] = {}
        self.away = False
        self.reads = 0

    async def read(self, tenants: Sequence[str], month: str) -> dict[str, int] | None:
        self.reads += 1
        return None if self.away else {tenant: self.spent.get((tenant, month), 0) for tenant in tenants}

    async def aclose(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Worker:
    def __init__(
        self, url: str, *, ledger: Ledger, clock: Clock, workers: int, hold_s: float, timeout_s: float
    ) -> None:
        self.metrics, self.ledger = Metrics(), ledger
        reporting, months = Reporting(self.metrics), Months(clock)
        self.link = RedisLink(url=url, timeout_s=timeout_s, on_change=self._changed)
        self.state = SharedState(link=self.link, worker=token_hex(8))
        self.keeper = Keeper(
            state=self.state,
            sums=ledger,
            months=months,
            reporting=reporting,
            share_count=workers,
            spans=Spans(hold_s=hold_s, lease_s=600.0),
            clock=time.monotonic,
        )
        self.till = Till(
            link=self.link,
            state=self.state,
            keeper=self.keeper,
            sums=ledger,
            months=months,
            reporting=reporting,
            hold_s=hold_s,
        )
        self.holds: list[tuple[Account, Hold]] = []

    async def take(
        self,
        amount: int,
        budget: int,
        *,
        tenant: str = TENANT,
        soft: float = 0.8,
        arrived_at: datetime | None = None,
    ) -> bool:
        """Whether it was granted, and not refused for want of money."""
        limit = Budget(budget, soft)
        try:
            hold = await self.till.set_aside(tenant, limit, token_hex(8), amount, arrived_at=arrived_at)
            self.holds.append(hold)
        except BudgetExhausted:
            return False
        return True

    async def takes_in_the_end(self, amount: int, budget: int) -> None:
        """Where Redis may be late with a single answer."""
        end = time.monotonic() + SOON_S
        while True:
            try:
                assert await self.take(amount, budget)
            except BudgetsAway:
                assert time.monotonic() < end
                await asyncio.sleep(0.02)
            else:
                return

    def pay(self, cost: int) -> None:
        """Settle the oldest hold."""
        account, hold = self.holds.pop(0)
        self.till.settle(account, hold, cost)

    async def kill(self) -> None:
        """As `kill -9` would: it says nothing any more."""
        for task in self.keeper._tasks:
            task.cancel()
        await self.link.aclose()

    def _changed(self, connected: bool, reason: str) -> None:  # noqa: ARG002 - the callback's signature
        self.keeper.run_lost()


class Bank:
    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url, retry=None, socket_timeout=5)
        self.ledger, self.clock = Ledger(), Clock()
        self._open: list[Worker] = []

    async def workers(self, count: int, *, hold_s: float = 60.0, timeout_s: float = 3.0) -> list[Worker]:
        """All there are, started."""
        made = [
            Worker(self.url, ledger=self.ledger, clock=self.clock, workers=count, hold_s=hold_s, timeout_s=timeout_s)
            for _ in range(count)
        ]
        self._open += made
        await asyncio.gather(*(worker.till.start() for worker in made))
        return made

    def state(self, field: str, *, month: str = MONTH, tenant: str = TENANT) -> int:
        value = self.client.hget(f"{{budget}}:state:{tenant}", f"{field}:{month}")
        return int(value) if isinstance(value, bytes) else 0

    async def reaches(self, spent: int, held: int = 0, *, month: str = MONTH) -> None:
        """Calls have this much set aside, and this much is spent."""

        def stands() -> tuple[int, int]:
            return self.state("spent", month=month), self.state("held", month=month) - self.state("leased", month=month)

        await eventually(lambda: stands() == (spent, held), stands)

    async def aclose(self) -> None:
        for worker in self._open:
            await worker.till.aclose()
        self.client.close()


async def eventually(holds: Callable[[], bool], shown: Callable[[], object] = lambda: "") -> None:
    end = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < end, shown()
        await asyncio.sleep(0.02)
