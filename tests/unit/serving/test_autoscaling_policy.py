from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from serving.autoscaling_policy import MarketHoursPolicy, ray_autoscaling_config
from serving.replica_scaling import ScalingLimits, ScalingLimitsError

MONDAY_10_00 = "2026-11-23T10:00:00-05:00"
THANKSGIVING_10_00 = "2026-11-26T10:00:00-05:00"


def rays_config(**changes: float) -> SimpleNamespace:
    return SimpleNamespace(
        **{"target_ongoing_requests": 10.0, "min_replicas": 1, "max_replicas": 4}
        | {"upscale_delay_s": 0.0, "downscale_delay_s": 0.0}
        | changes
    )


class FakeTime:
    def __init__(self) -> None:
        self.now_s = 5000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class RayContext:
    """The part of Ray's AutoscalingContext that the policy reads; tests/real/ray calls it with the real one."""

    total_num_requests: float = 0.0
    target_num_replicas: int = 1
    app_name: str | None = "chat"
    deployment_name: str = "engine"
    capacity_adjusted_min_replicas: int = 1
    capacity_adjusted_max_replicas: int = 4
    policy_state: dict[str, Any] = field(default_factory=dict)
    config: Any = field(default_factory=rays_config)


class Controller:
    """Calls the policy as Ray does, ten times a second, and does what it says."""

    def __init__(self, **policy_kwargs: Any) -> None:
        self.time = FakeTime()
        self.policy = MarketHoursPolicy(monotonic=self.time, **policy_kwargs)
        self.context = RayContext()

    def run(self, ongoing: float, *, seconds: float = 0.1) -> int:
        self.context.total_num_requests = ongoing
        for _ in range(round(seconds * 10)):
            self.time.now_s += 0.1
            self.context.target_num_replicas, self.context.policy_state = self.policy(self.context)
        return self.context.target_num_replicas


@pytest.fixture
def sentences(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, logger="ray.serve.autoscaling")
    return lambda: [record.getMessage() for record in caplog.records]


def test_load_moves_the_count_and_each_change_is_one_sentence(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(market_hours=False, upscale_delay_s=2, downscale_delay_s=5)
    controller.run(0, seconds=1)
    assert controller.run(40, seconds=3) == 4
    assert controller.run(3, seconds=6) == 1
    assert sentences() == [
        "chat/engine: 1 -> 4 replicas; load: 40.0 ongoing requests, 10 for each replica",
        "chat/engine: 4 -> 1 replicas; load: no more than 1 needed for 5 s",
    ]


def test_a_change_that_ray_does_not_make_at_once_is_announced_once(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(market_hours=False, upscale_delay_s=0)
    for _ in range(5):
        controller.run(40)
        controller.context.target_num_replicas = 1
    assert len(sentences()) == 1


def test_figures_that_are_wrong_in_many_ways_are_one_warning(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(market_hours=False)
    for figure in (-1.0, -2.0, math.nan, math.inf):
        controller.run(figure)
    assert sentences() == ["deciding without the load: ValueError: -1.0 ongoing requests"]


@pytest.mark.parametrize(
    ("clock_start", "replicas"), [(MONDAY_10_00, 2), (THANKSGIVING_10_00, 1), ("2026-11-23T15:00:00Z", 2)]
)
def test_the_clock_that_was_asked_for_decides_the_floor(clock_start: str, replicas: int) -> None:
    assert Controller(clock_start=clock_start).run(0, seconds=2) == replicas


def test_the_clock_runs_on_from_where_it_started(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(clock_start="2026-11-23T08:49:58-05:00", downscale_delay_s=5)
    assert controller.run(0, seconds=1) == 1
    assert controller.run(0, seconds=2) == 2
    controller.time.now_s += 7 * 3600 + 10 * 60
    assert controller.run(0) == 1
    assert sentences() == [
        "chat/engine: 1 -> 2 replicas; pre-warm: at least 2",
        "chat/engine: 2 -> 1 replicas; load: no more than 1 needed for 5 s outside market hours",
    ]


def test_without_a_start_the_clock_is_the_real_one() -> None:
    """At any time of day the policy decides on what the exchange is doing just now, which is one of two floors."""
    controller = Controller(upscale_delay_s=0)
    assert controller.run(0) in {1, 2}
    assert controller.run(40) == 4


def test_a_restarted_controller_keeps_what_is_there() -> None:
    before = Controller(market_hours=False, upscale_delay_s=0, downscale_delay_s=10)
    before.run(40)
    after = Controller(market_hours=False, upscale_delay_s=0, downscale_delay_s=10)
    after.context.target_num_replicas = before.context.target_num_replicas
    assert after.run(0, seconds=9) == 4
    assert after.run(35, seconds=9) == 4
    assert after.run(0, seconds=11) == 1


def test_foreign_state_is_no_obstacle() -> None:
    controller = Controller(market_hours=False)
    controller.context.policy_state = {"demand": "of another version", "__decision_counters": 3}
    assert controller.run(0) == 1


@pytest.mark.parametrize("figure", [math.nan, math.inf, -1.0, None])
def test_a_load_that_is_no_figure_leaves_the_count_and_is_logged_once(
    figure: Any, sentences: Callable[[], list[str]]
) -> None:
    controller = Controller(market_hours=False, downscale_delay_s=1)
    controller.context.target_num_replicas = 3
    assert controller.run(figure, seconds=5) == 3
    (sentence,) = sentences()
    assert sentence.startswith("deciding without the load: ")


def test_a_load_that_raises_leaves_the_market_its_floor(sentences: Callable[[], list[str]]) -> None:
    class Broken(RayContext):
        @property
        def total_num_requests(self) -> float:
            raise RuntimeError("no metrics")

        @total_num_requests.setter
        def total_num_requests(self, value: float) -> None: ...

    controller = Controller(clock_start=MONDAY_10_00)
    controller.context = Broken()
    assert controller.run(0, seconds=1) == 2
    assert "deciding without the load: RuntimeError: no metrics" in sentences()


def test_a_calendar_that_raises_leaves_scaling_by_load(
    monkeypatch: pytest.MonkeyPatch, sentences: Callable[[], list[str]]
) -> None:
    controller = Controller(clock_start=MONDAY_10_00, upscale_delay_s=0)

    def broken(_: object) -> None:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(controller.policy._market, "session", broken)
    assert controller.run(25, seconds=1) == 3
    assert "deciding without the market's hours: OverflowError: date value out of range" in sentences()


def test_a_year_outside_the_calendar_is_plain_weekdays_and_one_warning(sentences: Callable[[], list[str]]) -> None:
    assert Controller(clock_start="2150-12-25T10:00:00-05:00").run(0, seconds=2) == 2  # a Friday
    assert sum("every weekday now counts as a trading day" in sentence for sentence in sentences()) == 1


def test_damping_twice_is_pointed_out_once(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(market_hours=False)
    controller.context.config = rays_config(upscale_delay_s=30.0)
    controller.run(0, seconds=2)
    assert sentences() == ["Ray's own upscale_delay_s is 30 s and comes on top of the policy's: set it to 0"]


def test_bounds_of_ray_hold() -> None:
    controller = Controller(clock_start=MONDAY_10_00, upscale_delay_s=0)
    controller.context.capacity_adjusted_max_replicas = 1
    assert controller.run(400, seconds=1) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_replicas": 7}, "min_replicas is 7: it must not be above max_replicas"),
        ({"max_replica": 7}, "max_replica is no argument of the policy: it has clock_start, downscale_delay_s, "),
        ({"prewarm_minutes": 600}, "prewarm_minutes is 600: it must be a number from 0 to 480"),
        ({"exchange": "XLON"}, "exchange is 'XLON': it must be one of XNYS, XNAS"),
        ({"exchange": ["XNYS"]}, "exchange is ['XNYS']: it must be one of XNYS, XNAS"),
        ({"market_hours": "yes"}, "market_hours is 'yes': it must be true or false"),
        ({"clock_start": "2026-11-23T10:00:00"}, "it must be an ISO 8601 time with zone"),
        ({"clock_start": "Monday"}, "clock_start is 'Monday': it must be an ISO 8601 time with zone"),
        ({"clock_start": 10}, "clock_start is 10: it must be"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_may_be(
    arguments: dict[str, Any], message: str, sentences: Callable[[], list[str]]
) -> None:
    with pytest.raises(ScalingLimitsError) as raised:
        ray_autoscaling_config(**arguments)
    assert message in str(raised.value)
    # An exception out of the constructor would bring Ray's controller down with it.
    MarketHoursPolicy(**arguments)
    assert sentences() == [f"{raised.value}. The policy goes on with its defaults."]


def test_after_a_wrong_argument_the_defaults_scale() -> None:
    controller = Controller(min_replicas=-1, market_hours=False)
    assert controller.policy.settings.limits == ScalingLimits()
    assert controller.run(40, seconds=4) == 4


def test_limits_that_are_not_given_are_rays_own() -> None:
    controller = Controller(market_hours=False, upscale_delay_s=0, max_replicas=6)
    controller.context.capacity_adjusted_max_replicas = 20
    controller.context.config = rays_config(target_ongoing_requests=5.0, min_replicas=2, max_replicas=20)
    assert controller.run(0) == 2
    assert controller.run(19) == 4
    assert controller.run(100) == 6


def test_fewer_replicas_than_market_hours_want_is_no_obstacle() -> None:
    controller = Controller(clock_start=MONDAY_10_00, upscale_delay_s=0)
    controller.context.capacity_adjusted_max_replicas = 1
    controller.context.config = rays_config(max_replicas=1)
    assert controller.run(0) == 1


def test_limits_of_ray_that_cannot_be_are_left_aside(sentences: Callable[[], list[str]]) -> None:
    controller = Controller(market_hours=False, upscale_delay_s=0)
    controller.context.config = SimpleNamespace(target_ongoing_requests=0)
    assert controller.run(40, seconds=1) == 4
    assert any(sentence.startswith("deciding without Ray's own limits: ") for sentence in sentences())


def test_rays_configuration_carries_the_arguments_and_does_not_damp_itself() -> None:
    config = ray_autoscaling_config(max_replicas=3, downscale_delay_s=60, clock_start=MONDAY_10_00)
    assert json.loads(json.dumps(config)) == config
    assert (config["target_ongoing_requests"], config["min_replicas"], config["max_replicas"]) == (10, 1, 3)
    assert (config["upscale_delay_s"], config["downscale_delay_s"]) == (0, 0)
    assert config["policy"] == {
        "policy_function": "serving.autoscaling_policy:MarketHoursPolicy",
        "policy_kwargs": {"downscale_delay_s": 60, "clock_start": MONDAY_10_00},
    }


def test_scaling_to_zero_needs_rays_minimum_to_be_zero() -> None:
    config = ray_autoscaling_config(scale_to_zero=True, min_replicas=2)
    assert config["min_replicas"] == 0
    assert config["policy"]["policy_kwargs"] == {"scale_to_zero": True, "min_replicas": 2}


def test_from_zero_to_its_minimum_and_back() -> None:
    controller = Controller(market_hours=False, scale_to_zero=True, min_replicas=2, upscale_delay_s=0)
    controller.context.target_num_replicas = controller.context.capacity_adjusted_min_replicas = 0
    controller.context.config = rays_config(min_replicas=0)
    assert controller.run(0) == 0
    assert controller.run(1) == 2
    assert controller.run(0, seconds=301) == 0
