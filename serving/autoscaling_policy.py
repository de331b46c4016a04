"""The replica count of a Ray Serve deployment, from load and the market's clock: the adapter around `replica_scaling`.

Ray pickles this module by value into its controller and imports the rest of `serving` there, so the code has to be on
the head node's PYTHONPATH. The controller has no handlers for loggers that are not below `ray.serve`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from serving.market_hours import EXCHANGES, MarketHours, Session
from serving.replica_scaling import Clock, Demand, Load, ScalingLimits, ScalingLimitsError, check_number, decide

logger = logging.getLogger("ray.serve.autoscaling")

# Before the opening on the same day: the exchanges open at 9:00.
_MAX_PREWARM_MINUTES = 8 * 60

_DEMAND = "demand"  # its key in the state that Ray keeps for the policy

T = TypeVar("T")


class Context(Protocol):
    """What is read of `ray.serve.config.AutoscalingContext`. The load is averaged over `look_back_period_s`.

    `config` is Ray's `AutoscalingConfig`.
    """

    @property
    def app_name(self) -> str | None: ...
    @property
    def deployment_name(self) -> str: ...
    @property
    def target_num_replicas(self) -> int: ...
    @property
    def total_num_requests(self) -> float: ...
    @property
    def capacity_adjusted_min_replicas(self) -> int: ...
    @property
    def capacity_adjusted_max_replicas(self) -> int: ...
    @property
    def policy_state(self) -> dict[str, Any]: ...
    @property
    def config(self) -> Any: ...


class MarketHoursPolicy:
    """Ray's `policy_function`; its keyword arguments are Ray's `policy_kwargs`, JSON values all of them.

    limits: the fields of ScalingLimits.
    market_hours: whether the market's clock counts at all. exchange: a key of EXCHANGES.
    prewarm_minutes: how long before the opening its replicas are started, 0 to 480.
    clock_start: an ISO 8601 time with zone where the policy's market clock starts to run, for rehearsals and tests; it
        starts there again when Ray's controller does.
    Raises ScalingLimitsError (a ValueError) that names the argument and what it may be.
    """

    def __init__(
        self,
        *,
        market_hours: bool = True,
        exchange: str = "XNYS",
        prewarm_minutes: float = 10,
        clock_start: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        **limits: Any,
    ) -> None:
        self.limits = _limits(limits)
        check_number("prewarm_minutes", prewarm_minutes, low=0, high=_MAX_PREWARM_MINUTES)
        if not isinstance(market_hours, bool):
            raise ScalingLimitsError(f"market_hours is {market_hours!r}: it must be true or false")
        if exchange not in EXCHANGES:
            raise ScalingLimitsError(f"exchange is {exchange!r}: it must be one of {', '.join(EXCHANGES)}")
        self._monotonic = monotonic
        self._rehearsal = None if clock_start is None else (_moment(clock_start), monotonic())
        self._pre_warm = timedelta(minutes=prewarm_minutes)
        self._market = MarketHours(exchange, pre_warm=self._pre_warm, warn=self._warn_once) if market_hours else None
        self._warned: set[str] = set()
        self._announced: tuple[int, int] | None = None

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and the state for the next call. Ray calls this ten times a second."""
        self._warn_of_double_damping(context.config)
        load = Load(
            ongoing_requests=self._guarded("the load", lambda: _finite(context.total_num_requests)),
            target_replicas=context.target_num_replicas,
            lowest=context.capacity_adjusted_min_replicas,
            highest=context.capacity_adjusted_max_replicas,
        )
        clock = Clock(now_s=self._monotonic(), session=self._guarded("the market's hours", self._session))
        before = context.policy_state.get(_DEMAND)
        decision = decide(load, clock, self.limits, before if isinstance(before, Demand) else None)
        self._announce(context, decision.replicas, decision.reason)
        return decision.replicas, {} if decision.demand is None else {_DEMAND: decision.demand}

    def _session(self) -> Session | None:
        return None if self._market is None else self._market.session(self._now())

    def _now(self) -> datetime:
        if self._rehearsal is None:
            return datetime.now(UTC)
        start, at = self._rehearsal
        return start + timedelta(seconds=self._monotonic() - at)

    def _guarded(self, what: str, read: Callable[[], T]) -> T | None:
        """One figure, or None where it cannot be had.

        An exception out of a policy ends the controller's pass over all applications, ten times a second, so nothing
        scales or deploys any more.
        """
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever it is, deciding without this figure beats not deciding
            self._warn_once(f"deciding without {what}: {type(error).__name__}: {error}")
            return None

    def _warn_of_double_damping(self, config: Any) -> None:
        for name in ("upscale_delay_s", "downscale_delay_s"):
            if delay_s := getattr(config, name, 0):
                self._warn_once(f"Ray's own {name} is {delay_s:g} s and comes on top of the policy's: set it to 0")

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            logger.warning("%s", sentence)

    def _announce(self, context: Context, replicas: int, reason: str) -> None:
        change = (context.target_num_replicas, replicas)
        if replicas != context.target_num_replicas and change != self._announced:
            logger.info("%s/%s: %d -> %d replicas; %s", context.app_name, context.deployment_name, *change, reason)
        self._announced = change


def ray_autoscaling_config(**policy_kwargs: Any) -> dict[str, Any]:
    """Ray's `autoscaling_config` of a deployment that MarketHoursPolicy scales; `policy_kwargs` are its arguments.

    Raises what MarketHoursPolicy raises, so that a wrong argument is found before Ray has it.
    """
    limits = MarketHoursPolicy(**policy_kwargs).limits
    return {
        "min_replicas": limits.fewest,
        "max_replicas": limits.max_replicas,
        "target_ongoing_requests": limits.target_ongoing_requests,
        # The policy damps; Ray's own delays would come on top.
        "upscale_delay_s": 0.0,
        "downscale_delay_s": 0.0,
        # Replicas report every second, and the load is the mean of five; Ray's 10 and 30 are slow to see a burst.
        "metrics_interval_s": 1.0,
        "look_back_period_s": 5.0,
        "policy": {
            "policy_function": "serving.autoscaling_policy:MarketHoursPolicy",
            "policy_kwargs": policy_kwargs,
        },
    }


def _limits(arguments: dict[str, Any]) -> ScalingLimits:
    known = {field.name for field in fields(ScalingLimits)}
    for name in arguments:
        if name not in known:
            others = {"market_hours", "exchange", "prewarm_minutes", "clock_start"}
            raise ScalingLimitsError(f"{name} is no argument of the policy: it has {', '.join(sorted(known | others))}")
    return ScalingLimits(**arguments)


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ScalingLimitsError(
            f"clock_start is {text!r}: it must be an ISO 8601 time with zone, such as 2026-11-23T10:00:00-05:00"
        )
    return moment


def _finite(ongoing_requests: float) -> float:
    if not math.isfinite(ongoing_requests) or ongoing_requests < 0:
        raise ValueError(f"{ongoing_requests} ongoing requests")
    return ongoing_requests
