"""Keeps what a worker and Redis know of the budgets in agreement, away from the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from api.tenants.budgets import telling
from api.tenants.budgets.account import Account
from api.tenants.budgets.ledger_sums import LedgerSums
from api.tenants.budgets.months import Months
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState, Standing
from api.tenants.budgets.telling import Spans
from api.tenants.types import Budget
from resilience.redis_link import RedisAwayError, RedisRefusedError

logger = logging.getLogger(__name__)
_TICK_S = 1.0
# Costs of calls that end within this time travel together.
_GATHER_S = 0.01
_LEDGER_S = 3.0
# A run of Redis that has lost what it knew waits so long for workers: longer than a link takes to find its way back.
CLOSED_S = 4.0
_BEGIN_S = 3600.0
# A lease is told again so often, so that all see soon how little is left.
_RENEW_S = 2.0
_IDLE_S = 900.0
_BATCH = 50
_TROUBLE = (RedisAwayError, RedisRefusedError)


class Keeper:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        state: SharedState,
        sums: LedgerSums,
        months: Months,
        reporting: Reporting,
        share_count: int,
        spans: Spans,
        clock: Callable[[], float],
    ) -> None:
        self.ready = False
        """Redis has been told all that this worker knows."""
        self._state = state
        self._sums = sums
        self._months = months
        self._reporting = reporting
        self._share_count = share_count
        self._spans = spans
        self._clock = clock
        self._accounts: dict[tuple[str, str], Account] = {}
        self._wake = asyncio.Event()
        self._read_ledger = asyncio.Event()
        self._epoch = 0
        self._begun_s = 0.0
        self._ready_s = 0.0
        self.ledger_failed_s = 0.0
        """When it could not be read last; monotonic."""
        self._tasks: list[asyncio.Task[None]] = []

    def account(self, tenant: str, month: str, budget: Budget | None = None) -> Account:
        """`budget`: as it is now; None of those who do not know."""
        account = self._accounts.get((tenant, month))
        if account is None:
            account = Account(tenant=tenant, month=month, budget=Budget(0), used_s=self._clock(), is_budgeted=False)
            self._accounts[tenant, month] = account
        if budget is not None:
            account.budget, account.is_budgeted, account.used_s = budget, True, self._clock()
        return account

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        """Whether nothing is to be said of the call any more."""
        account = self._accounts.get((tenant, month))
        return account is None or (id_ not in account.ended and id_ not in account.open)

    def now_s(self) -> float:
        return self._clock()

    def wake(self) -> None:
        self._wake.set()

    def ask_ledger(self) -> None:
        self._read_ledger.set()

    def run_lost(self) -> None:
        """Of the connection, or of the data: Redis has to be told again before it decides."""
        self.ready = False
        self._epoch += 1
        self._wake.set()

    async def start(self) -> None:
        """Tell Redis once, and go on in the background; it may be away."""
        await self._round()
        self._tasks = [
            asyncio.create_task(self._repeat(self._redis_rounds), name="budgets: redis"),
            asyncio.create_task(self._repeat(self._ledger_rounds), name="budgets: ledger"),
        ]

    async def aclose(self) -> None:
        """Give back what this worker has leased, as far as Redis answers in time."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.ready:
            with suppress(*_TROUBLE):
                await self._tell(self._accounts.values(), everything=False, leased=False)
                await self._flush()

    async def _repeat(self, rounds: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await rounds()
            except Exception:
                # Whatever it was, without it no cost would be settled any more.
                logger.exception("the keeper of budgets failed and goes on")
                await asyncio.sleep(_TICK_S)

    async def _redis_rounds(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await self._wake.wait()
        await asyncio.sleep(_GATHER_S)
        self._wake.clear()
        await self._round()

    async def _round(self) -> None:
        try:
            if not self.ready:
                await self._tell_everything()
            else:
                await self._look_at_the_run()
            if self.ready:
                await self._flush()
                await self._tell(self._due(), everything=False)
        except _TROUBLE:
            return  # the link says so, and comes back by itself
        self._forget()

    async def _tell_everything(self) -> None:
        epoch = self._epoch
        await self._state.begin(wait_ms=round(CLOSED_S * 1000))
        self._begun_s = self._clock()
        await self._tell(self._accounts.values(), everything=True)
        self.ready = await self._state.announce(workers=self._share_count) and epoch == self._epoch
        self._ready_s = self._clock()

    async def _look_at_the_run(self) -> None:
        # The name of its data lasts a day: told anew, it lasts another one.
        if self._clock() - self._begun_s > _BEGIN_S or not await self._state.is_same():
            self.run_lost()
            await self._tell_everything()

    async def _flush(self) -> None:
        """Raises what the link raises; what has not arrived stays."""
        due = [account for account in self._accounts.values() if account.ended]
        for start in range(0, len(due), _BATCH):
            await asyncio.gather(*map(self._settle, due[start : start + _BATCH]))

    async def _settle(self, account: Account) -> None:
        costs = dict(list(account.ended.items())[:1000])
        standing = await self._state.settle(account.tenant, account.month, costs.items(), soft=account.soft_nano)
        if standing.verdict != "settled":
            self.run_lost()
            return
        for id_ in costs:
            account.ended.pop(id_, None)
        if account.ended:
            self._wake.set()
        self._learn(account, standing)

    def _learn(self, account: Account, standing: Standing) -> None:
        account.learn(standing.spent, standing.held, is_short=standing.is_short, now_s=self._clock())
        if account.month == self._months.current():
            self._reporting.stands(account, standing)

    async def _tell(self, accounts: Iterable[Account], *, everything: bool, leased: bool = True) -> None:
        due = list(accounts)
        for start in range(0, len(due), _BATCH):
            batch = due[start : start + _BATCH]
            await asyncio.gather(*(self._tell_of(one, everything=everything, leased=leased) for one in batch))

    async def _tell_of(self, account: Account, *, everything: bool, leased: bool) -> None:
        now_s = self._clock()
        wanted = self._lease_wanted(account, now_s) if leased else 0
        floor = self._floor(account, now_s)
        told = telling.begin(account, wanted=wanted, floor=floor, now_s=now_s, spans=self._spans, everything=everything)
        standing = await self._state.tell(account.tenant, account.month, told.told, told.holds)
        told.confirm(standing)
        if standing.verdict == "forgotten":
            self.run_lost()
        if standing.verdict == "told":
            self._learn(account, standing)
        if account.wants_telling:
            self._wake.set()

    def _due(self) -> Sequence[Account]:
        now_s = self._clock()
        return [account for account in self._accounts.values() if self._is_due(account, now_s)]

    def _is_due(self, account: Account, now_s: float) -> bool:
        if account.wants_telling or account.doubtful or account.unshared != account.reported:
            return True
        if self._floor(account, now_s) > (account.spent or 0) or self._lease_ends(account):
            return True
        since_s = now_s - account.told_s
        if account.free and since_s > _RENEW_S:
            return True
        return since_s > _TICK_S and account.needs_lease(self._lease_wanted(account, now_s))

    def _floor(self, account: Account, now_s: float) -> int:
        return account.floor(now_s, ready_s=self._ready_s if self.ready else now_s)

    def _lease_ends(self, account: Account) -> bool:
        return bool(account.free) and account.month != self._months.current()

    def _lease_wanted(self, account: Account, now_s: float) -> int:
        if account.month != self._months.current():
            return 0
        return account.lease_wanted(share_count=self._share_count, now_s=now_s, idle_s=_IDLE_S)

    def _forget(self) -> None:
        month = self._months.current()
        for key, account in list(self._accounts.items()):
            if not account.is_settled or account.free:
                continue
            if account.month != month and (account.tenant, month) not in self._accounts:
                self._reporting.month_ended(account)
            if account.month != month or self._clock() - account.used_s > 2 * _IDLE_S:
                del self._accounts[key]

    async def _ledger_rounds(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEDGER_S):
                await self._read_ledger.wait()
        self._read_ledger.clear()
        current = self._months.current()
        tenants: dict[str, list[str]] = {}
        for account in self._accounts.values():
            # In the month before, calls that came before midnight may still ask what was spent.
            if account.month == current or (account.spent is None and account.is_budgeted):
                tenants.setdefault(account.month, []).append(account.tenant)
        for month, names in tenants.items():
            await self._read_sums(names, month)

    async def _read_sums(self, tenants: Sequence[str], month: str) -> None:
        spent = await self._sums.read(tenants, month)
        if spent is None:
            self.ledger_failed_s = self._clock()
            return
        for tenant, nano in spent.items():
            account = self._accounts.get((tenant, month))
            if account is not None:
                account.learn_ledger(nano, self._clock())
