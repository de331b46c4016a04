"""Budgets in Redis: the most that a call may cost is set aside before it, and what it did cost is settled after it."""

from __future__ import annotations

import asyncio
import time

from api.call import Call
from api.errors import BudgetExhausted, BudgetsAway
from api.tenants.base import Prices
from api.tenants.budgets.account import Account, Hold
from api.tenants.budgets.keeper import Keeper
from api.tenants.budgets.ledger_sums import LedgerSums
from api.tenants.budgets.months import Months
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState, Standing
from api.tenants.budgets.worst_case import WorstCase
from api.tenants.types import NANO_PER_USD, BudgetStanding
from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError
from serving.types import Held

# How long a call waits for what takes a moment: workers that tell a Redis that has lost its data, the ledger's sum of
# a tenant that has its first budget, leases that are given back near the end of a budget.
_PATIENCE_S = 5.0
_POLL_S = 0.05
_RETRY_AFTER_S = 2.0
_TROUBLE = (RedisAwayError, RedisRefusedError)


class RedisBudgets:
    """`Budgets` and `BudgetBook`. Belongs to one event loop."""

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        *,
        link: RedisLink,
        state: SharedState,
        keeper: Keeper,
        sums: LedgerSums,
        worst_case: WorstCase,
        prices: Prices,
        months: Months,
        reporting: Reporting,
        hold_s: float,
    ) -> None:
        """`hold_s`: after so long what was set aside comes back, whatever became of the worker."""
        self._link = link
        self._state = state
        self._keeper = keeper
        self._sums = sums
        self._worst_case = worst_case
        self._prices = prices
        self._months = months
        self._reporting = reporting
        self._hold_ms = round(hold_s * 1000)

    async def start(self) -> None:
        """Connect; a Redis that is away is no failure."""
        await self._link.start()
        await self._keeper.start()

    async def aclose(self) -> None:
        await self._keeper.aclose()
        await self._sums.aclose()
        await self._link.aclose()

    async def reserve(self, call: Call, held: Held) -> None:
        budget = call.caller.budget
        if budget is None:
            return
        amount = self._worst_case.nano(call, call.arrived_at)
        if amount == 0:
            return
        account = self._keeper.account(call.caller.tenant, self._months.current(), budget)
        hold = await self._set_aside(account, call.ledger_id, amount)
        held.callback(self._settle_call, call, account, hold)

    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        account = self._keeper.account(tenant, month)
        hold = account.open.get(id_)
        if hold is None:
            account.ended[id_] = actual_nano
        else:
            account.settle(hold, actual_nano)
        self._keeper.wake()

    async def standing(self, tenant: str) -> BudgetStanding:
        month = self._months.current()
        try:
            now = await self._state.read(tenant, month)
        except _TROUBLE as error:
            raise _nobody_knows() from error
        spent = now.spent
        if now.verdict == "unknown":
            sums = await self._sums.read([tenant], month)
            if sums is None:
                raise _nobody_knows()
            spent = sums[tenant]
        return BudgetStanding(month=month, spent_nano=spent, held_nano=now.held - now.leased)

    async def _set_aside(self, account: Account, id_: str, amount: int) -> Hold:
        began_s = time.monotonic()
        while True:
            verdict = await self._asked(account, id_, amount)
            if verdict == "granted":
                return account.share(id_, amount, time.monotonic())
            lent = account.lend(id_, amount, time.monotonic())
            if lent is not None:
                return lent
            waits = time.monotonic() - began_s < _PATIENCE_S
            if verdict == "refused" or (verdict == "leased" and not waits):
                raise self._exhausted(account, amount)
            if not waits or verdict == "away" or (verdict == "unknown" and self._keeper.ledger_failed_s > began_s):
                self._reporting.refused(account.tenant, "away")
                raise _nobody_knows()
            await asyncio.sleep(_POLL_S)

    async def _asked(self, account: Account, id_: str, amount: int) -> str:
        """Redis' verdict; `away`, or `leased` where what is left is in the leases of other workers."""
        if not self._state.connected:
            return "away"
        if not self._keeper.ready:
            self._keeper.wake()
            return "closed"
        budget = account.budget.amount_nano
        try:
            standing = await self._state.reserve(
                account.tenant,
                account.month,
                id_,
                amount=amount,
                budget=budget,
                soft=account.soft_nano,
                ttl_ms=self._hold_ms,
                known=account.ledger_sum(),
            )
        except BaseException as error:
            account.ended[id_] = 0  # it may have been set aside
            self._keeper.wake()
            if isinstance(error, _TROUBLE):
                return "away"
            raise
        return self._understood(account, amount, standing)

    def _understood(self, account: Account, amount: int, standing: Standing) -> str:
        if standing.verdict == "forgotten":
            self._keeper.run_lost()
        elif standing.verdict == "unknown":
            self._keeper.ask_ledger()
        elif standing.verdict in ("granted", "refused"):
            account.learn(standing.spent, standing.held)
            self._reporting.stands(account, standing)
        if standing.verdict == "refused":
            account.wants_telling = True
            self._keeper.wake()
            if standing.spent + standing.held - standing.leased + amount <= account.budget.amount_nano:
                return "leased"
        return standing.verdict

    def _settle_call(self, call: Call, account: Account, hold: Hold) -> None:
        account.settle(hold, call.make_bill(self._prices.price_of).cost_nano)
        self._keeper.wake()

    def _exhausted(self, account: Account, amount: int) -> BudgetExhausted:
        self._reporting.refused(account.tenant, "exhausted")
        budget, spent = account.budget.amount_nano, account.spent or 0
        about = f"Your budget for {account.month} (UTC) is {_usd(budget)}"
        if spent >= budget:
            return BudgetExhausted(f"{about}, and it is spent.")
        return BudgetExhausted(
            f"{about}. This request may cost up to {_usd(amount)}, which is more than is left beside the requests that "
            "are running. A smaller max_tokens makes it cheaper."
        )


def _nobody_knows() -> BudgetsAway:
    message = "It cannot be told now what is left of this month's budget, try again shortly."
    return BudgetsAway(message, retry_after_s=_RETRY_AFTER_S)


def _usd(nano: int) -> str:
    whole, part = divmod(nano, NANO_PER_USD)
    return f"${whole:,}.{f'{part:09d}'.rstrip('0'):0<2}"
