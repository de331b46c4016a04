"""How many replicas a deployment should have: a pure decision from load, market session and limits.

Load asks for `ceil(ongoing requests / target_ongoing_requests)` replicas. Going up waits until load has asked for the
larger number during all of `upscale_delay_s`; going down until nothing has asked for the replica during all of
`downscale_delay_s`. So the number follows the lowest demand of the one window upwards and the highest demand of the
other one downwards, however the load jumps in between. Floors (`min_replicas`, market hours, pre-warm) apply at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from serving.market_hours import Session

# Averages of whole numbers that are a hair above a multiple of the target do not ask for one replica more.
_ROUNDING = 1e-6

# name: lowest, highest, and whether it is a whole number
_RANGES: dict[str, tuple[float, float, bool]] = {
    "target_ongoing_requests": (0.1, 10_000, False),
    "min_replicas": (0, 1_000, True),
    "max_replicas": (1, 1_000, True),
    "market_hours_min_replicas": (0, 1_000, True),
    "upscale_delay_s": (0, 3_600, False),
    "downscale_delay_s": (0, 86_400, False),
}


class ScalingLimitsError(ValueError):
    """A limit that cannot be: the message names it, its value, and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLimits:
    """What the decision keeps to. Delays in seconds; `scale_to_zero` lets an idle deployment end its last replicas."""

    target_ongoing_requests: float = 10.0
    min_replicas: int = 1
    max_replicas: int = 4
    market_hours_min_replicas: int = 2
    # Long enough for a burst that is over in a moment, short beside the minute that an engine takes to start.
    upscale_delay_s: float = 3.0
    # Starting a replica costs about as much as keeping one for a minute or two; people come back within minutes.
    downscale_delay_s: float = 300.0
    scale_to_zero: bool = False

    def __post_init__(self) -> None:
        for name, (low, high, whole) in _RANGES.items():
            check_number(name, getattr(self, name), low=low, high=high, whole=whole)
        if not isinstance(self.scale_to_zero, bool):
            raise ScalingLimitsError(f"scale_to_zero is {self.scale_to_zero!r}: it must be true or false")
        for name in ("min_replicas", "market_hours_min_replicas"):
            if getattr(self, name) > self.max_replicas:
                raise ScalingLimitsError(
                    f"{name} is {getattr(self, name)}: it must not be above max_replicas, which is {self.max_replicas}"
                )
        if self.min_replicas == 0 and not self.scale_to_zero:
            raise ScalingLimitsError("min_replicas is 0: it must be at least 1 unless scale_to_zero is true")

    @property
    def fewest(self) -> int:
        """The lowest number that the decision can come to outside market hours."""
        return 0 if self.scale_to_zero else self.min_replicas


def check_number(name: str, value: Any, *, low: float, high: float, whole: bool = False) -> None:
    """Raise ScalingLimitsError unless `value` is a number (a whole one, if asked) from `low` to `high`."""
    kind = "a whole number" if whole else "a number"
    right_type = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right_type or not low <= value <= high:
        raise ScalingLimitsError(f"{name} is {value!r}: it must be {kind} from {low:g} to {high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is there now. `ongoing_requests` is None when nobody knows, `target_replicas` the number decided last.

    `lowest` and `highest` are the orchestrator's own bounds, which hold whatever the limits say.
    """

    ongoing_requests: float | None
    target_replicas: int
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`now_s` counts seconds, never backwards; `session` is what the exchange is doing, None without market hours."""

    now_s: float
    session: Session | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What load asks for, and since when: the memory between two decisions.

    `since_s[n - 1]` is when load began to ask for at least n replicas (n up to `replicas`), or when it ceased to
    (n above), in seconds of `Clock.now_s`. `target` is the number of replicas that there was to be at the time.
    """

    replicas: int
    since_s: tuple[float, ...]
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingDecision:
    """`demand` goes into the next decision; None where nothing is known that is worth keeping."""

    replicas: int
    reason: str
    demand: Demand | None


def decide(load: Load, clock: Clock, limits: ScalingLimits, before: Demand | None = None) -> ScalingDecision:
    """The number of replicas to have now, never outside `load.lowest` to `load.highest`, nor above the limits' maximum.

    With unknown load the number stays, but for the floors: half blind is no time to end replicas. Without `before`
    (the first decision, or the first after a restart) nothing goes down for `downscale_delay_s`.
    """
    demand = None if load.ongoing_requests is None else _demand(load.ongoing_requests, load, clock, limits, before)
    wanted = load.target_replicas if demand is None else _damped(demand, load.target_replicas, clock, limits)
    floor, floor_reason = _floor(clock, limits)
    if max(wanted, floor) == 0 and load.target_replicas > 1:
        wanted = 1  # the last replica goes in a step of its own, as in Ray
    highest = min(load.highest, limits.max_replicas)
    replicas = max(load.lowest, min(max(wanted, floor), highest))
    if replicas != max(wanted, floor):
        reason = f"bounds: {load.lowest} to {highest} replicas are allowed"
    elif floor > wanted:
        reason = floor_reason
    else:
        reason = _load_reason(replicas, load, clock, limits)
    return ScalingDecision(replicas=replicas, reason=reason, demand=demand)


def _demand(ongoing: float, load: Load, clock: Clock, limits: ScalingLimits, before: Demand | None) -> Demand:
    """What load asks for now, with the times kept where its mind has not changed."""
    wanted = math.ceil(min(ongoing / limits.target_ongoing_requests, limits.max_replicas) - _ROUNDING)
    wanted = max(wanted, limits.min_replicas if wanted > 0 or not limits.scale_to_zero else 0)
    if before is None or len(before.since_s) != limits.max_replicas:
        since_s: tuple[float, ...] = (clock.now_s,) * limits.max_replicas
    else:
        since_s = tuple(
            since if _unchanged(n, wanted, load, before) else clock.now_s
            for n, since in enumerate(before.since_s, start=1)
        )
    return Demand(replicas=wanted, since_s=since_s, target=load.target_replicas)


def _unchanged(n: int, wanted: int, load: Load, before: Demand) -> bool:
    """Whether load thinks of the n-th replica as it did before.

    It does not of one that came since then, whoever asked for it: that is owed a whole delay before it goes again,
    because what it was started for may not be in the figures yet.
    """
    return (n <= wanted) == (n <= before.replicas) and not before.target < n <= load.target_replicas


def _damped(demand: Demand, target: int, clock: Clock, limits: ScalingLimits) -> int:
    """The largest number that is asked for long enough, or that is there and was asked for lately."""
    for n in range(limits.max_replicas, 0, -1):
        lasted_s = clock.now_s - demand.since_s[n - 1]
        asked_for = n <= demand.replicas
        if asked_for and (n <= target or lasted_s >= limits.upscale_delay_s):
            return n
        if not asked_for and n <= target and lasted_s < limits.downscale_delay_s:
            return n
    return 0


def _floor(clock: Clock, limits: ScalingLimits) -> tuple[int, str]:
    """The number that holds whatever the load, and why."""
    if limits.market_hours_min_replicas > limits.fewest:
        if clock.session is Session.OPEN:
            return limits.market_hours_min_replicas, f"market hours: at least {limits.market_hours_min_replicas}"
        if clock.session is Session.PRE_WARM:
            return limits.market_hours_min_replicas, f"pre-warm: at least {limits.market_hours_min_replicas}"
    return limits.fewest, f"floor: at least {limits.fewest}"


def _load_reason(replicas: int, load: Load, clock: Clock, limits: ScalingLimits) -> str:
    if load.ongoing_requests is None:
        return "load unknown: keep what is there"
    if replicas < load.target_replicas:
        outside = " outside market hours" if clock.session is Session.CLOSED else ""
        return f"load: no more than {replicas} needed for {limits.downscale_delay_s:g} s{outside}"
    return f"load: {load.ongoing_requests:.1f} ongoing requests, {limits.target_ongoing_requests:g} for each replica"
