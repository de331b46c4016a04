"""A tenant gets its part of the engines behind whichever worker its connections are."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.concurrency import AdaptiveLimit
from resilience.fair_queue import FairQueue
from resilience.shared_turns import SharedTurns, TenantDemand, TenantKey, WorkerState, filled
from tests.unit.resilience.workers_model import Tenant, Workers

APART = {"a": Tenant(1.0, (40, 0)), "b": Tenant(3.0, (0, 40))}
ONE_EVERYWHERE = {"a": Tenant(1.0, (40, 40)), "b": Tenant(3.0, (0, 40))}
MANY = {
    "a": Tenant(1.0, (40, 40, 40, 40)),
    "b": Tenant(2.0, (0, 40, 0, 0)),
    "c": Tenant(1.0, (0, 0, 40, 0)),
    "d": Tenant(4.0, (30, 0, 0, 60)),
    "e": Tenant(2.0, (30, 30, 30, 30)),
}


@pytest.mark.parametrize(
    ("tenants", "workers", "seats"), [(APART, 2, 16), (ONE_EVERYWHERE, 2, 16), (MANY, 4, 64)], ids=["2", "2-1", "5-4"]
)
def test_parts_are_as_weights(tenants: dict[str, Tenant], workers: int, seats: int) -> None:
    parts = Workers(tenants, workers=workers, seats=seats, share=True).run(warm_up_s=40, seconds=80)
    assert parts == pytest.approx(dict.fromkeys(tenants, 1.0), rel=0.05)


def test_without_the_exchange_they_are_not() -> None:
    """Or the tests above would show nothing."""
    parts = Workers(ONE_EVERYWHERE, workers=2, seats=16, share=False).run(warm_up_s=40, seconds=80)
    assert parts["a"] > 1.2


def state(limit: int, *demands: TenantDemand) -> WorkerState:
    return WorkerState(limit, 100.0, list(demands), {})


def demand(
    tenant: str, *, weight: float = 1.0, waiting: int = 50, batch: bool = False, received: float = 0.0
) -> TenantDemand:
    return TenantDemand(batch, tenant, 1, weight, waiting, 5, received)


def shared() -> SharedTurns:
    queue = FairQueue(clock=lambda: 0.0, limit=8, max_waiting=10, batch_share=0.1)
    return SharedTurns(queue, AdaptiveLimit(initial=8, ceiling=100))


def test_alone_a_worker_uses_what_it_has() -> None:
    assert shared().part(state(8, demand("a")), {}) == 1.0
    assert shared().part(state(8, demand("a")), {"other": state(8, demand("b", waiting=0))}) == 1.0


def test_a_worker_that_comes_begins_with_what_the_others_have_found() -> None:
    queue = FairQueue(clock=lambda: 0.0, limit=8, max_waiting=10, batch_share=0.1)
    adaptive = AdaptiveLimit(initial=8, ceiling=100)
    SharedTurns(queue, adaptive).part(state(8, demand("a")), {"one": state(30), "other": state(50)})
    assert adaptive.limit == 40


def test_batch_gets_its_share_of_the_turns_wherever_it_waits() -> None:
    others = {"other": state(10, demand("b", batch=True))}
    assert shared().part(state(10, demand("a")), others) == pytest.approx(1.8)
    assert shared().part(others["other"], {"other": state(10, demand("a"))}) == pytest.approx(0.2)


def test_nobody_gets_more_than_it_wants() -> None:
    few = state(10, demand("b", weight=9.0, waiting=1))
    assert shared().part(state(10, demand("a")), {"other": few}) == pytest.approx(1.4)


def test_who_is_ahead_gets_less_until_it_is_not() -> None:
    turns = shared()
    first = turns.part(state(10, demand("a")), {"other": state(10, demand("b"))})
    ahead = turns.part(state(10, demand("a", received=2000.0)), {"other": state(10, demand("b"))})
    level = turns.part(state(10, demand("a", received=2000.0)), {"other": state(10, demand("b", received=2000.0))})
    assert first == pytest.approx(1.0)
    assert ahead < 0.7
    assert level == pytest.approx(1.0)


def test_before_anything_has_ended_nobody_is_held_back() -> None:
    turns = shared()
    own, other = state(10, demand("a")), state(10, demand("b"))
    young = msgspec.structs.replace(own, turn_tokens=0.0)
    ahead = msgspec.structs.replace(state(10, demand("a", received=2000.0)), turn_tokens=0.0)
    turns.part(young, {"other": msgspec.structs.replace(other, turn_tokens=0.0)})
    assert turns.part(ahead, {"other": msgspec.structs.replace(other, turn_tokens=0.0)}) == pytest.approx(1.0)


def test_an_account_that_was_opened_anew_is_no_gift() -> None:
    turns = shared()
    turns.part(state(10, demand("a")), {"other": state(10, demand("b", received=5000.0))})
    anew = TenantDemand(False, "b", 2, 1.0, 50, 5, 0.0)
    assert turns.part(state(10, demand("a")), {"other": state(10, anew)}) == pytest.approx(1.0)


keys = st.tuples(st.booleans(), st.sampled_from("abcdef"))


@given(
    st.floats(0, 500),
    st.dictionaries(keys, st.tuples(st.integers(1, 200), st.floats(0.01, 100)), min_size=1, max_size=8),
)
def test_turns_are_all_given_and_none_twice(turns: float, tenants: dict[TenantKey, tuple[int, float]]) -> None:
    demands = {key: wanted for key, (wanted, _) in tenants.items()}
    weights = {key: weight for key, (_, weight) in tenants.items()}
    granted = filled(turns, demands, weights)
    assert sum(granted.values()) == pytest.approx(min(turns, sum(demands.values())))
    for key, got in granted.items():
        assert 0 <= got <= demands[key] + 1e-9
        for other, others in granted.items():
            if got < demands[key] - 1e-6:  # who wants more has as much as its weight gives it beside any other one
                assert got / weights[key] >= others / weights[other] - 1e-6


def test_a_weight_that_is_nothing_beside_another_breaks_nothing() -> None:
    demands = {(False, "a"): 5, (False, "b"): 500}
    assert filled(8.0, demands, {(False, "a"): 1000.0, (False, "b"): 1e-20}) == {(False, "a"): 5.0, (False, "b"): 3.0}
