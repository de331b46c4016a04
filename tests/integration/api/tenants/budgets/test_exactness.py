"""Whatever happens to Redis, to its data, to answers and to workers, in whatever order: no dollar is spent twice."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from api.errors import BudgetExhausted, BudgetsAway
from api.tenants.budgets import keeper as keeper_module
from api.tenants.budgets import till as till_module
from api.tenants.budgets.account import Account, Backing, Hold
from api.tenants.budgets.keeper import Keeper
from api.tenants.budgets.months import Months
from api.tenants.budgets.reporting import Reporting
from api.tenants.budgets.shared_state import SharedState
from api.tenants.budgets.telling import Spans
from api.tenants.budgets.till import Till
from api.tenants.types import Budget
from observability.metrics import Metrics
from resilience.redis_link import Argument, RedisAwayError, RedisLink, Script
from tests.integration.api.tenants.budgets.bank import MONTH, TENANT, Clock, Ledger

WORKERS = 3
# So late the ledger hears of what calls did cost.
LAG_S = 15.0
BUDGET = Budget(300)
METRICS = Metrics()  # one for all: a registry for each worker of each example would take most of the time


class Wire(RedisLink):
    """To a Redis that a test takes away, and whose answers it loses."""

    def __init__(self, client: redis.Redis, world: World) -> None:
        super().__init__(url="redis://unused", timeout_s=1.0, on_change=lambda *_: None)
        self._client, self._world = client, world
        self.up, self.loses_answers = True, False

    @property
    def connected(self) -> bool:
        return self.up

    async def start(self) -> None:
        pass

    async def call(self, *command: Argument) -> Any:
        if not self.up:
            raise RedisAwayError("away")
        if command[0] == "INFO":
            answer: Any = f"run_id:{self._world.run}".encode()
        else:
            answer = self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        if self.loses_answers:
            raise RedisAwayError("late")
        return answer

    async def run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        return await self.call("EVAL", script.text, len(keys), *keys, *arguments)


class Member:
    """A worker, and what its calls really cost."""

    def __init__(self, world: World, name: str) -> None:
        self.wire = Wire(world.client, world)
        reporting, months = Reporting(METRICS), Months(Clock())
        state = SharedState(link=self.wire, worker=name)
        shared: dict[str, Any] = {"state": state, "sums": world.ledger, "months": months, "reporting": reporting}
        clock = world.seconds
        self.keeper = Keeper(**shared, share_count=WORKERS, spans=Spans(hold_s=1e6, lease_s=600.0), clock=clock)
        self.till = Till(**shared, link=self.wire, keeper=self.keeper, hold_s=1e6)
        self.open: list[tuple[Account, Hold]] = []
        self.cost = 0

    @property
    def at_risk(self) -> int:
        return self.cost + sum(hold.amount for _, hold in self.open)


class World:
    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.ledger = Ledger()
        self.now_s = 0.0
        self.runs = 0
        self.costs: list[tuple[float, int]] = []
        """When calls ended, and what they did cost."""

    @property
    def run(self) -> str:
        return f"run-{self.runs}"

    def seconds(self) -> float:
        return self.now_s


class Spending(RuleBasedStateMachine):
    url = ""
    lent = 0
    """Calls that were paid for out of leases, in all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.client = redis.Redis.from_url(self.url)
        self.client.flushall()
        self.world = World(self.client)
        self.runner = asyncio.Runner()
        self.born = 0
        self.members = [self._member() for _ in range(WORKERS)]
        self.buried = 0
        """What calls of killed workers have cost or may cost."""
        self.copy: list[tuple[bytes, bytes]] = []
        self._rounds()
        for who in range(WORKERS):
            self.calls_begin(who, 1, 1)  # which asks for the ledger
            self.a_round(who)

    def teardown(self) -> None:
        try:
            self._spend_all_that_is_left()
            self.no_dollar_is_spent_twice()
        finally:
            self.runner.close()
            self.client.close()

    def _spend_all_that_is_left(self) -> None:
        """What anybody has forgotten would be there to be spent again."""
        for _ in range(2):
            self.redis_is_back_for_all()
            self.rounds()
        for amount in (100, 30, 10, 3, 1):
            for who in range(WORKERS):
                self.calls_begin(who, amount, 4)

    who = st.integers(0, WORKERS - 1)
    some = st.sets(who, min_size=1)

    @rule(who=who, amount=st.integers(1, 2), times=st.integers(1, 40))
    def calls_begin(self, who: int, amount: int, times: int) -> None:
        member = self.members[who]
        for number in range(times):
            self.born += 1
            try:
                taken = self.runner.run(member.till.set_aside(TENANT, BUDGET, f"call-{self.born}-{number}", amount))
            except (BudgetExhausted, BudgetsAway):
                continue
            member.open.append(taken)
            type(self).lent += taken[1].backing is Backing.LENT

    @precondition(lambda self: self.world.now_s > 20)
    @rule(who=who, amount=st.integers(30, 280))
    def a_large_call_begins(self, who: int, amount: int) -> None:
        self.calls_begin(who, amount, 1)

    @rule(who=who, share=st.floats(0, 1), count=st.integers(1, 40))
    def calls_end(self, who: int, share: float, count: int) -> None:
        member = self.members[who]
        for _ in range(min(count, len(member.open))):
            account, hold = member.open.pop(0)
            cost = round(hold.amount * share)
            member.till.settle(account, hold, cost)
            member.cost += cost
            self.world.costs.append((self.world.now_s, cost))

    @rule(who=who)
    def a_round(self, who: int) -> None:
        self.world.now_s += 1.5
        member = self.members[who]
        self.runner.run(member.keeper._round())
        self.runner.run(self._ledger_round(member))

    @rule()
    def rounds(self) -> None:
        for who in range(WORKERS):
            self.a_round(who)

    @rule(those=some)
    def redis_goes_away(self, those: set[int]) -> None:
        for member in (self.members[who] for who in those):
            member.wire.up = False
            member.keeper.run_lost()

    @rule(those=some)
    def redis_is_back(self, those: set[int]) -> None:
        for member in (self.members[who] for who in those):
            member.wire.up, member.wire.loses_answers = True, False
            member.keeper.run_lost()
            self.runner.run(member.keeper._round())

    @rule()
    def redis_is_back_for_all(self) -> None:
        self.redis_is_back(set(range(WORKERS)))

    @rule(who=who)
    def answers_get_lost(self, who: int) -> None:
        self.members[who].wire.loses_answers = True

    @precondition(lambda self: self.is_open())
    @rule(who=who)
    def a_worker_is_killed_and_another_one_starts(self, who: int) -> None:
        self.buried += self.members[who].at_risk
        self.members[who] = self._member()
        self.runner.run(self.members[who].keeper._round())

    @rule()
    def the_file_of_redis_is_written(self) -> None:
        self.copy = [(key, self.client.dump(key)) for key in self.client.scan_iter("{budget}:[she]*")]  # type: ignore[misc]

    @precondition(lambda self: not self.buried)
    @rule(kept=st.booleans())
    def redis_restarts_without_its_latest_data(self, kept: bool) -> None:
        self.client.flushall()
        for key, value in self.copy if kept else ():
            self.client.restore(key, 0, value)
        self.copy = self.copy if kept else []
        self.world.runs += 1
        for member in self.members:
            member.keeper.run_lost()

    @precondition(lambda self: not self.buried)
    @rule()
    def redis_is_flushed(self) -> None:
        self.client.flushall()
        self.copy = []

    @invariant()
    def no_dollar_is_spent_twice(self) -> None:
        at_risk = self.buried + sum(member.at_risk for member in self.members)
        assert at_risk <= BUDGET.amount_nano

    def is_open(self) -> bool:
        """All workers have told this run of Redis what they know."""
        opens_ms = self.client.hget(f"{{budget}}:run:{self.world.run}", "opens_ms")
        return isinstance(opens_ms, bytes) and int(opens_ms) <= time.time() * 1000

    def _member(self) -> Member:
        self.born += 1
        return Member(self.world, f"worker-{self.born}")

    def _rounds(self) -> None:
        for member in self.members:
            self.runner.run(member.keeper._round())

    async def _ledger_round(self, member: Member) -> None:
        known = sum(cost for ended_s, cost in self.world.costs if ended_s <= self.world.now_s - LAG_S)
        self.world.ledger.spent[TENANT, MONTH] = known
        member.keeper.ask_ledger()
        await member.keeper._ledger_rounds()


def test_no_order_of_failures_spends_a_dollar_twice(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(till_module, "_PATIENCE_S", -1.0)  # time stands still here
    monkeypatch.setattr(keeper_module, "CLOSED_S", 1000.0)
    monkeypatch.setattr(Spending, "url", redis_url)
    run_state_machine_as_test(
        Spending, settings=settings(max_examples=25, stateful_step_count=30, phases=[Phase.generate])
    )
    assert Spending.lent > 0
