from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.market_hours import Session
from serving.replica_scaling import Clock, Demand, Load, ScalingDecision, ScalingLimits, ScalingLimitsError, decide

TICK_S = 1.0


class Deployment:
    """What an orchestrator does with decisions: asks every tick and puts each into effect at once."""

    def __init__(
        self, limits: ScalingLimits, *, replicas: int = 1, lowest: int | None = None, highest: int = 100
    ) -> None:
        self.limits = limits
        self.replicas = replicas
        self.lowest = limits.fewest if lowest is None else lowest
        self.highest = highest
        self.now_s = 1000.0
        self.demand: Demand | None = None
        self.history = [replicas]

    def tick(self, ongoing: float | None, session: Session | None = None) -> ScalingDecision:
        self.now_s += TICK_S
        load = Load(ongoing_requests=ongoing, target_replicas=self.replicas, lowest=self.lowest, highest=self.highest)
        decision = decide(load, Clock(now_s=self.now_s, session=session), self.limits, self.demand)
        self.replicas, self.demand = decision.replicas, decision.demand
        self.history.append(self.replicas)
        return decision

    def ticks(self, ongoing: Iterable[float | None], session: Session | None = None) -> int:
        for one in ongoing:
            self.tick(one, session)
        return self.replicas


@st.composite
def some_limits(draw: st.DrawFn) -> ScalingLimits:
    most = draw(st.integers(1, 8))
    return ScalingLimits(
        target_ongoing_requests=draw(st.floats(0.5, 50)),
        min_replicas=draw(st.integers(1, most)),
        max_replicas=most,
        market_hours_min_replicas=draw(st.integers(0, most)),
        upscale_delay_s=draw(st.sampled_from([0, 1, 3.5, 20])),
        downscale_delay_s=draw(st.sampled_from([0, 1, 7, 30])),
        scale_to_zero=draw(st.booleans()),
    )


loads = st.lists(st.one_of(st.none(), st.just(0.0), st.floats(0, 400)), min_size=1, max_size=60)
known_loads = st.lists(st.one_of(st.just(0.0), st.floats(0, 400)), min_size=1, max_size=60)
sessions = st.sampled_from([None, *Session])


def asked_for(ongoing: float, limits: ScalingLimits) -> int:
    """The textbook number, where rounding does not decide it: a hair above a whole number counts as that number."""
    share = ongoing / limits.target_ongoing_requests
    assume(share == round(share) or abs(share - round(share)) > 1e-5)
    wanted = min(math.ceil(share), limits.max_replicas)
    return wanted if limits.scale_to_zero and wanted == 0 else max(wanted, limits.min_replicas)


@given(some_limits(), loads, sessions, st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_never_outside_the_bounds(
    limits: ScalingLimits, loads: list[float | None], session: Session | None, start: int, low: int, more: int
) -> None:
    deployment = Deployment(limits, replicas=start, lowest=low, highest=low + more)
    deployment.ticks(loads, session)
    assert all(low <= replicas <= low + more for replicas in deployment.history[1:])
    assert all(replicas <= max(low, limits.max_replicas) for replicas in deployment.history[1:])


@given(some_limits(), loads, st.integers(0, 8))
def test_market_hours_have_their_minimum_from_the_first_moment(
    limits: ScalingLimits, loads: list[float | None], start: int
) -> None:
    for session in (Session.PRE_WARM, Session.OPEN):
        deployment = Deployment(limits, replicas=start)
        deployment.ticks(loads, session)
        assert min(deployment.history[1:]) >= limits.market_hours_min_replicas


@given(some_limits(), known_loads, st.floats(0, 400))
def test_a_load_that_stays_gets_what_it_asks_for(limits: ScalingLimits, before: list[float], ongoing: float) -> None:
    deployment = Deployment(limits)
    deployment.ticks(before)
    settled = int(max(limits.upscale_delay_s, limits.downscale_delay_s) / TICK_S) + 3
    assert deployment.ticks([ongoing] * settled) == asked_for(ongoing, limits)


@given(some_limits(), known_loads)
def test_going_up_waits_for_the_upscale_delay_and_no_longer(limits: ScalingLimits, before: list[float]) -> None:
    deployment = Deployment(limits)
    deployment.ticks(before)
    high = limits.max_replicas * limits.target_ongoing_requests
    deployment.ticks([high] * (math.ceil(limits.upscale_delay_s / TICK_S) + 1))
    assert deployment.replicas == limits.max_replicas


@given(some_limits(), known_loads)
def test_going_down_follows_the_highest_demand_of_the_delay(limits: ScalingLimits, loads: list[float]) -> None:
    deployment = Deployment(limits)
    for n, ongoing in enumerate(loads):
        before = deployment.replicas
        deployment.tick(ongoing)
        lately = loads[max(0, n + 1 - max(1, math.ceil(limits.downscale_delay_s / TICK_S))) : n + 1]
        highest = max(asked_for(one, limits) for one in lately)
        assert deployment.replicas >= min(before, highest)


@given(some_limits(), known_loads)
def test_no_replica_goes_sooner_than_the_delay_after_it_came(limits: ScalingLimits, loads: list[float]) -> None:
    deployment = Deployment(limits)
    deployment.ticks(loads)
    came: dict[int, int] = {}
    for tick, (before, after) in enumerate(zip(deployment.history, deployment.history[1:], strict=False)):
        for n in range(before + 1, after + 1):
            came[n] = tick
        for n in range(after + 1, before + 1):
            assert (tick - came.get(n, 0)) * TICK_S >= limits.downscale_delay_s


@given(some_limits(), known_loads, st.floats(0, 400), st.floats(0, 400), sessions)
def test_more_load_never_means_fewer_replicas(
    limits: ScalingLimits, before: list[float], one: float, other: float, session: Session | None
) -> None:
    decided = []
    for ongoing in sorted((one, other)):
        deployment = Deployment(limits)
        deployment.ticks(before, session)
        decided.append(deployment.tick(ongoing, session).replicas)
    assert decided == sorted(decided)


@given(some_limits(), known_loads, known_loads)
def test_a_lost_memory_ends_no_replica_for_the_delay(
    limits: ScalingLimits, before: list[float], after: list[float]
) -> None:
    deployment = Deployment(limits)
    deployment.ticks(before)
    deployment.demand = None
    there = deployment.replicas
    within = int(limits.downscale_delay_s / TICK_S)
    deployment.history.clear()
    deployment.ticks(after[:within])
    assert min(deployment.history, default=there) >= there


@given(some_limits(), known_loads, st.integers(1, 20))
def test_unknown_load_keeps_what_is_there(limits: ScalingLimits, before: list[float], blind: int) -> None:
    deployment = Deployment(limits)
    there = deployment.ticks(before)
    assert deployment.ticks([None] * blind) == there


def test_one_to_four_and_back() -> None:
    deployment = Deployment(ScalingLimits(upscale_delay_s=2, downscale_delay_s=5))
    assert deployment.ticks([4] * 3) == 1
    assert deployment.ticks([40] * 2) == 1
    up = deployment.tick(40)
    assert (up.replicas, up.reason) == (4, "load: 40.0 ongoing requests, 10 for each replica")
    assert deployment.ticks([0] * 5) == 4
    down = deployment.tick(0, Session.CLOSED)
    assert (down.replicas, down.reason) == (1, "load: no more than 1 needed for 5 s outside market hours")


def test_a_blip_moves_nothing_and_a_lull_ends_nothing() -> None:
    deployment = Deployment(ScalingLimits(upscale_delay_s=3, downscale_delay_s=10))
    deployment.ticks([0, 0, 40, 40, 0, 0, 0])
    assert set(deployment.history) == {1}
    deployment.ticks([40] * 5)
    deployment.ticks([0, 0, 0, 0, 0, 25, 0, 0, 0, 0] * 5)
    assert deployment.history[-40:] == [3] * 40


def test_the_market_opens_and_closes_on_an_idle_deployment() -> None:
    deployment = Deployment(ScalingLimits(downscale_delay_s=5))
    deployment.ticks([0] * 10, Session.CLOSED)
    warm = deployment.tick(0, Session.PRE_WARM)
    assert (warm.replicas, warm.reason) == (2, "pre-warm: at least 2")
    assert deployment.ticks([0] * 20, Session.OPEN) == 2
    assert deployment.tick(0, Session.CLOSED).replicas == 1


def test_market_hours_are_no_ceiling() -> None:
    deployment = Deployment(ScalingLimits(upscale_delay_s=0), replicas=2)
    assert deployment.tick(35, Session.OPEN).replicas == 4


def test_bounds_of_the_orchestrator_hold_in_market_hours_too() -> None:
    decision = Deployment(ScalingLimits(), highest=1).tick(0, Session.OPEN)
    assert (decision.replicas, decision.reason) == (1, "bounds: 1 to 1 replicas are allowed")


def test_to_zero_by_way_of_one_and_back_on_the_first_request() -> None:
    deployment = Deployment(ScalingLimits(scale_to_zero=True, upscale_delay_s=0, downscale_delay_s=5), replicas=3)
    deployment.ticks([0] * 8)
    assert deployment.history == [3] * 6 + [1, 0, 0]
    assert deployment.tick(1).replicas == 1


def test_a_replica_that_someone_else_started_from_zero_is_given_time_to_show_its_load() -> None:
    """Ray starts the first replica itself when a request waits, before the replica's own figures have arrived."""
    deployment = Deployment(ScalingLimits(scale_to_zero=True, downscale_delay_s=5), replicas=0)
    deployment.ticks([0] * 30)
    deployment.replicas = 1
    assert deployment.ticks([0] * 4) == 1
    assert deployment.ticks([0] * 3) == 0


def test_a_decision_that_is_not_put_into_effect_is_made_again() -> None:
    deployment = Deployment(ScalingLimits(downscale_delay_s=5), replicas=4)
    deployment.ticks([0] * 5)
    for _ in range(3):
        assert deployment.tick(0).replicas == 1
        deployment.replicas = 4


def test_a_figure_a_hair_above_the_target_asks_for_no_more() -> None:
    assert Deployment(ScalingLimits(upscale_delay_s=0)).tick(10.000000001).replicas == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"target_ongoing_requests": 0}, "target_ongoing_requests is 0: it must be a number from 0.1 to 10000"),
        ({"target_ongoing_requests": "10"}, "target_ongoing_requests is '10'"),
        ({"target_ongoing_requests": math.nan}, "target_ongoing_requests is nan"),
        ({"min_replicas": -1}, "min_replicas is -1: it must be a whole number from 0 to 1000"),
        ({"min_replicas": 5}, "min_replicas is 5: it must not be above max_replicas, which is 4"),
        ({"min_replicas": 0}, "min_replicas is 0: it must be at least 1 unless scale_to_zero is true"),
        ({"max_replicas": 2.5}, "max_replicas is 2.5: it must be a whole number from 1 to 1000"),
        ({"max_replicas": True}, "max_replicas is True"),
        ({"market_hours_min_replicas": 9}, "market_hours_min_replicas is 9: it must not be above max_replicas"),
        ({"upscale_delay_s": -1}, "upscale_delay_s is -1: it must be a number from 0 to 3600"),
        ({"downscale_delay_s": math.inf}, "downscale_delay_s is inf: it must be a number from 0 to 86400"),
        ({"scale_to_zero": 1}, "scale_to_zero is 1: it must be true or false"),
    ],
)
def test_a_limit_that_cannot_be_is_named_with_its_range(limits: dict[str, object], message: str) -> None:
    with pytest.raises(ScalingLimitsError) as raised:
        ScalingLimits(**limits)  # type: ignore[arg-type]  # the wrong types are what is tested
    assert message in str(raised.value)
