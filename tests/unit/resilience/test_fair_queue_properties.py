"""Whose turn it is, one rule at a time."""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience.fair_queue import Refused, Ticket, TicketState
from resilience.token_counters import weighted_tokens
from tests.unit.resilience.fair_queue_desk import Desk


class Engine:
    """Serves `desk` for a while: tenants that always have requests waiting, of sizes as they come."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.random = random.Random(seed)  # noqa: S311 - repeatable by intent, nothing secret
        self.tokens: defaultdict[str, float] = defaultdict(float)

    def run(self, demands: dict[str, tuple[float, bool]], turns: int) -> None:
        """`demands`: tenant -> weight and whether its requests are batch. Each always has two that wait."""
        live: list[tuple[str, Ticket]] = []
        for _ in range(turns):
            for tenant, (weight, batch) in demands.items():
                while sum(1 for name, one in live if name == tenant and one.state is TicketState.WAITING) < 2:
                    prompt = self.random.randint(1, 400)
                    live.append((tenant, self.desk.ask(tenant, weight=weight, batch=batch, prompt=prompt, output=400)))
            served = [pair for pair in live if pair[1].state is TicketState.SERVED]
            tenant, ticket = self.random.choice(served)
            prompt, output = self.random.randint(1, 400), self.random.randint(0, 400)
            self.desk.end(ticket, prompt=prompt, output=output, after_s=0.01)
            live.remove((tenant, ticket))
            used = weighted_tokens(prompt, output)
            self.tokens[tenant] += used


MOST_OF_ONE = weighted_tokens(400, 400)
weights = st.floats(0.2, 5.0)


@given(st.lists(weights, min_size=2, max_size=5), st.integers(1, 6), st.integers(0, 10**6), st.integers(200, 900))
def test_the_service_of_backlogged_tenants_differs_by_a_bound_that_time_does_not_change(
    tenant_weights: list[float], limit: int, seed: int, turns: int
) -> None:
    engine = Engine(Desk(limit=limit), seed)
    demands = {f"t{place}": (weight, False) for place, weight in enumerate(tenant_weights)}
    engine.run(demands, turns)
    # Twice what can be under way: charged and not yet known on one side, known and not yet charged on the other.
    bound = 2 * (limit + 1) * MOST_OF_ONE / min(tenant_weights)
    normalised = [engine.tokens[tenant] / weight for tenant, (weight, _) in demands.items()]
    assert max(normalised) - min(normalised) <= bound


def test_shares_are_as_weights() -> None:
    engine = Engine(Desk(limit=4), 1)
    engine.run({"a": (1.0, False), "b": (2.0, False), "c": (5.0, False)}, 8000)
    total = sum(engine.tokens.values())
    for tenant, weight in (("a", 1.0), ("b", 2.0), ("c", 5.0)):
        assert engine.tokens[tenant] / total == pytest.approx(weight / 8, rel=0.05)


@given(st.floats(0.02, 0.5), st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=30)
def test_batch_gets_its_share_and_no_more(share: float, limit: int, seed: int) -> None:
    engine = Engine(Desk(limit=limit, batch_share=share), seed)
    engine.run({"a": (1.0, False), "b": (3.0, False), "c": (1.0, True)}, 1500)
    total = sum(engine.tokens.values())
    allowance = 2 * (limit + 1) * MOST_OF_ONE
    assert engine.tokens["c"] >= share * total - allowance
    assert engine.tokens["c"] <= share * total + allowance


class QueueMachine(RuleBasedStateMachine):
    """Everything that can be done to a queue, in any order."""

    @initialize(limit=st.integers(1, 4))
    def open(self, limit: int) -> None:
        self.desk = Desk(limit=limit, max_waiting=5)
        self.live: list[Ticket] = []
        self.floors: dict[str, float] = {}

    @rule(
        tenant=st.sampled_from("abcd"),
        batch=st.booleans(),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        prompt=st.integers(0, 500),
        patience_s=st.sampled_from([0.0, 1.0, 1e6]),
    )
    def ask(self, tenant: str, batch: bool, weight: float, prompt: int, patience_s: float) -> None:
        # What a refused request leaves behind, the invariants would find.
        with suppress(Refused):
            ticket = self.desk.ask(tenant, batch=batch, weight=weight, prompt=prompt, patience_s=patience_s)
            self.live.append(ticket)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), output=st.none() | st.integers(0, 500), after_s=st.floats(0, 5))
    def end(self, data: st.DataObject, output: int | None, after_s: float) -> None:
        ticket = data.draw(st.sampled_from(self.live))
        self.live.remove(ticket)
        self.desk.end(ticket, output=output, after_s=after_s)
        self.desk.end(ticket)  # a second time does nothing

    @rule(limit=st.integers(1, 6))
    def change_limit(self, limit: int) -> None:
        self.desk.queue.set_limit(limit)

    @invariant()
    def is_work_conserving(self) -> None:
        queue = self.desk.queue
        assert queue.waiting == 0 or queue.served >= queue.limit

    @invariant()
    def gives_few_turns_beyond_the_limit(self) -> None:
        assert self.desk.queue.served <= 6 + 6 // 4

    @invariant()
    def counts_what_is_there(self) -> None:
        queue, live = self.desk.queue, self.live
        assert queue.served == sum(1 for ticket in live if ticket.state is TicketState.SERVED)
        assert queue.waiting == sum(1 for ticket in live if ticket.state is TicketState.WAITING)
        for batch in (False, True):
            lane = queue.lane(batch=batch)
            waiting = [ticket for ticket in live if ticket.batch is batch and ticket.state is TicketState.WAITING]
            assert lane.waiting_tokens == pytest.approx(sum(ticket.tokens for ticket in waiting), abs=1e-3)
            assert set(lane.waiting) == {ticket.account for ticket in waiting}
            for account in lane.accounts.values():
                assert len(account.waiting) <= 5

    @invariant()
    def keeps_nothing_of_what_has_ended(self) -> None:
        if self.live:
            return
        for batch in (False, True):
            lane = self.desk.queue.lane(batch=batch)
            assert not lane.waiting
            assert lane.waiting_tokens == 0
            assert all(account.idle for account in lane.accounts.values())


TestQueueMachine = QueueMachine.TestCase
