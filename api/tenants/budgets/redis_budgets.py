"""Budgets of calls: the most that a call may cost is set aside before it, and what it did cost is settled after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from api.call import Call
from api.errors import BudgetsAway
from api.tenants.base import Prices
from api.tenants.budgets.account import Account, Hold
from api.tenants.budgets.till import Till
from api.tenants.budgets.worst_case import WorstCase
from api.tenants.types import Bill
from api.usage.types import Spending
from serving.types import Held


class RedisBudgets:
    """`Budgets`, `BudgetBook` and `MonthSpending`."""

    def __init__(self, *, till: Till, worst_case: WorstCase, prices: Prices) -> None:
        self._till = till
        self._worst_case = worst_case
        self._prices = prices

    async def start(self) -> None:
        await self._till.start()

    async def aclose(self) -> None:
        await self._till.aclose()

    async def reserve(self, call: Call, held: Held) -> None:
        budget = call.caller.budget
        if budget is None:
            return
        amount = self._worst_case.nano(call)
        if amount == 0:
            return
        account, hold = await self._till.set_aside(
            call.caller.tenant, budget, call.ledger_id, amount, arrived_at=call.arrived_at
        )
        # With the bill and not when the client has read the answer: the ledger has the row then, and a budget that has
        # both the ledger's sum and the hold would count the call twice.
        call.on_bill = partial(self._settle, account, hold)
        held.callback(call.make_bill, self._prices.price_of)

    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        self._till.settle_by_id(tenant, month, id_, actual_nano)

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        return self._till.is_settled(tenant, month, id_)

    async def spending(self, tenants: Sequence[str]) -> Mapping[str, Spending]:
        found: dict[str, Spending] = {}
        for tenant in tenants:
            with suppress(BudgetsAway):
                found[tenant] = await self._till.spending(tenant)
        return found

    def _settle(self, account: Account, hold: Hold, bill: Bill) -> None:
        self._till.settle(account, hold, bill.cost_nano)
