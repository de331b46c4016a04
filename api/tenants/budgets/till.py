"""Sets money aside and settles it: in Redis, and while Redis is away out of the worker's lease."""

from __future__ import annotations

import asyncio
from datetime import datetime

from api.errors import BudgetExhausted, BudgetsAway
from api.tenants.budgets.account import Account, Hold
from api.tenants.budgets.keeper import Keeper
from api.tenants.budgets.ledger_sums import LedgerSums
from api.tenants.budgets.months import Months
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState, Standing
from api.tenants.types import NANO_PER_USD, Budget, usd
from api.usage.types import Spending
from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError

# How long a call waits for what takes a moment: workers that tell a Redis that has lost its data, the ledger's sum of
# a tenant that has its first budget, leases that are given back near the end of a budget.
_PATIENCE_S = 5.0
_POLL_S = 0.05
_RETRY_AFTER_S = 2.0
_TROUBLE = (RedisAwayError, RedisRefusedError)


class Till:
    """Belongs to one event loop. Money is nano-dollars."""

    def __init__(
        self,
        *,
        link: RedisLink,
        state: SharedState,
        keeper: Keeper,
        sums: LedgerSums,
        months: Months,
        reporting: Reporting,
        hold_s: float,
    ) -> None:
        """`hold_s`: after so long what was set aside comes back, whatever became of the worker."""
        self._link = link
        self._state = state
        self._keeper = keeper
        self._sums = sums
        self._months = months
        self._reporting = reporting
        self._hold_ms = round(hold_s * 1000)

    async def start(self) -> None:
        """Connect; a Redis that is away is no failure."""
        await self._link.start()
        await self._keeper.start()

    async def aclose(self) -> None:
        """Settle what has not arrived yet and give the leases back, as far as Redis answers in time."""
        await self._keeper.aclose()
        await self._sums.aclose()
        await self._link.aclose()

    async def set_aside(
        self, tenant: str, budget: Budget, id_: str, amount: int, *, arrived_at: datetime | None = None
    ) -> tuple[Account, Hold]:
        """To be given to `settle`. `arrived_at`: of the call, in UTC; now, if left out.

        Raises BudgetExhausted and BudgetsAway.
        """
        month = self._months.current() if arrived_at is None else self._months.of(arrived_at)
        account = self._keeper.account(tenant, month, budget)
        began_s = self._keeper.now_s()
        while True:
            verdict = await self._asked(account, id_, amount)
            if verdict == "granted":
                return account, account.share(id_, amount, self._keeper.now_s())
            lent = account.lend(id_, amount, self._keeper.now_s())
            if lent is not None:
                return account, lent
            waits = self._keeper.now_s() - began_s < _PATIENCE_S
            if verdict == "refused" or (verdict == "leased" and not waits):
                raise self._exhausted(account, amount)
            if not waits or verdict == "away" or (verdict == "unknown" and self._keeper.ledger_failed_s > began_s):
                self._reporting.refused(tenant, "away")
                raise _nobody_knows()
            await asyncio.sleep(_POLL_S)

    def settle(self, account: Account, hold: Hold, cost: int) -> None:
        """What it did cost takes its place; returns at once."""
        account.settle(hold, cost)
        self._keeper.wake()

    def settle_by_id(self, tenant: str, month: str, id_: str, cost: int) -> None:
        """The same for whoever has set it aside."""
        account = self._keeper.account(tenant, month)
        hold = account.open.get(id_)
        if hold is None:
            account.ended[id_] = cost
        else:
            account.settle(hold, cost)
        self._keeper.wake()

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        """Whether Redis has what `settle_by_id` was told."""
        return self._keeper.is_settled(tenant, month, id_)

    async def spending(self, tenant: str) -> Spending:
        """In this month. Raises BudgetsAway."""
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
        return Spending(spent_usd=usd(spent), set_aside_usd=usd(now.held - now.leased))

    async def _asked(self, account: Account, id_: str, amount: int) -> str:
        """Redis' verdict; `away`, or `leased` where what is left is in the leases of other workers."""
        if not self._state.connected:
            return "away"
        if not self._keeper.ready:
            self._keeper.wake()
            return "closed"
        try:
            standing = await self._state.reserve(
                account.tenant,
                account.month,
                id_,
                amount=amount,
                budget=account.budget.amount_nano,
                soft=account.soft_nano,
                ttl_ms=self._hold_ms,
                known=account.known(),
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
            account.learn(standing.spent, standing.held, is_short=standing.is_short, now_s=self._keeper.now_s())
            if account.month == self._months.current():
                self._reporting.stands(account, standing)
        if standing.verdict == "refused":
            self._keeper.wake()
            if standing.spent + standing.held - standing.leased + amount <= account.budget.amount_nano:
                return "leased"
        return standing.verdict

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
