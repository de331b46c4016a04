"""The replica count of a Ray Serve deployment, from load and the market's clock: the adapter around `replica_scaling`.

Ray pickles this module by value into its controller and imports the rest of `serving` there, so the code has to be on
the head node's PYTHONPATH. The controller has no handlers for loggers that are not below `ray.serve`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

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


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """The arguments of MarketHoursPolicy, checked. JSON values all of them, beside those of ScalingLimits.

    market_hours: whether the market's clock counts at all. exchange: a key of EXCHANGES.
    prewarm_minutes: how long before the opening its replicas are started, 0 to 480.
    clock_start: an ISO 8601 time with zone where the policy's market clock starts to run, for rehearsals and tests; it
        starts there again when Ray's controller does.
    given: the names of the limits that were given. What is not of those that Ray has a place of its own for
        (`rays_own`) comes from there.
    """

    limits: ScalingLimits
    given: frozenset[str] = frozenset()
    market_hours: bool = True
    exchange: str = "XNYS"
    prewarm_minutes: float = 10
    clock_start: str | None = None

    @classmethod
    def of(cls, policy_kwargs: dict[str, Any]) -> Self:
        """Raises ScalingLimitsError (a ValueError) that names the argument and what it may be."""
        limits = {field.name for field in fields(ScalingLimits)}
        others = {field.name for field in fields(cls)} - {"limits", "given"}
        for name in policy_kwargs:
            if name not in limits | others:
                raise ScalingLimitsError(
                    f"{name} is no argument of the policy: it has {', '.join(sorted(limits | others))}"
                )
        given = {name: value for name, value in policy_kwargs.items() if name in limits}
        rest = {name: value for name, value in policy_kwargs.items() if name in others}
        return cls(limits=ScalingLimits(**given), given=frozenset(given), **rest)

    def __post_init__(self) -> None:
        check_number("prewarm_minutes", self.prewarm_minutes, low=0, high=_MAX_PREWARM_MINUTES)
        if not isinstance(self.market_hours, bool):
            raise ScalingLimitsError(f"market_hours is {self.market_hours!r}: it must be true or false")
        if not isinstance(self.exchange, str) or self.exchange not in EXCHANGES:
            raise ScalingLimitsError(f"exchange is {self.exchange!r}: it must be one of {', '.join(EXCHANGES)}")
        if self.clock_start is not None and _moment(self.clock_start) is None:
            raise ScalingLimitsError(
                f"clock_start is {self.clock_start!r}: it must be an ISO 8601 time with zone, such as "
                "2026-11-23T10:00:00-05:00"
            )

    @property
    def rays_own(self) -> list[str]:
        """The limits that Ray has a place of its own for.

        It changes these while replicas run, but to change a policy's argument it replaces every replica.
        """
        # When it may scale to zero, Ray's minimum is 0 and says nothing about how many there are once there are any.
        minimum = [] if self.limits.scale_to_zero else ["min_replicas"]
        return ["target_ongoing_requests", "max_replicas", *minimum]


class MarketHoursPolicy:
    """Ray's `policy_function`. Its arguments, Ray's `policy_kwargs`, are those of PolicySettings and ScalingLimits.

    Nothing that goes wrong leaves it as an exception. Raised by a call, one ends the controller's pass over all
    applications, ten times a second; raised here, it also takes away Serve's status and the way to deploy something
    better. So arguments that cannot be are an error in the log and the defaults hold: ray_autoscaling_config refuses
    them before Ray has them.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, **policy_kwargs: Any) -> None:
        try:
            self.settings = PolicySettings.of(policy_kwargs)
        except ScalingLimitsError as error:
            logger.error("%s. The policy goes on with its defaults.", error)  # noqa: TRY400 - the sentence says it all
            self.settings = PolicySettings.of({})
        self._warned: set[str] = set()
        self._announced: tuple[int, int] | None = None
        self._monotonic = monotonic
        start = _moment(self.settings.clock_start)
        self._rehearsal = None if start is None else (start, monotonic())
        pre_warm = timedelta(minutes=self.settings.prewarm_minutes)
        self._market = (
            MarketHours(self.settings.exchange, pre_warm=pre_warm, warn=self._warn_once)
            if self.settings.market_hours
            else None
        )

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
        limits = self._guarded("Ray's own limits", lambda: self._limits_with(context.config)) or self.settings.limits
        before = context.policy_state.get(_DEMAND)
        decision = decide(load, clock, limits, before if isinstance(before, Demand) else None)
        self._announce(context, decision.replicas, decision.reason)
        return decision.replicas, {} if decision.demand is None else {_DEMAND: decision.demand}

    def _limits_with(self, config: Any) -> ScalingLimits:
        limits = self.settings.limits
        rays = {name: getattr(config, name) for name in self.settings.rays_own if name not in self.settings.given}
        in_market_hours = min(limits.market_hours_min_replicas, rays.get("max_replicas", limits.max_replicas))
        return replace(limits, **rays, market_hours_min_replicas=in_market_hours)

    def _session(self) -> Session | None:
        return None if self._market is None else self._market.session(self._now())

    def _now(self) -> datetime:
        if self._rehearsal is None:
            return datetime.now(UTC)
        start, at = self._rehearsal
        return start + timedelta(seconds=self._monotonic() - at)

    def _guarded(self, what: str, read: Callable[[], T]) -> T | None:
        """One figure, or None where it cannot be had."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever it is, deciding without this figure beats not deciding
            kind = type(error).__name__
            self._warn_once(f"deciding without {what}: {kind}: {error}", about=f"{what}: {kind}")
            return None

    def _warn_of_double_damping(self, config: Any) -> None:
        for name in ("upscale_delay_s", "downscale_delay_s"):
            if delay_s := getattr(config, name, 0):
                self._warn_once(f"Ray's own {name} is {delay_s:g} s and comes on top of the policy's: set it to 0")

    def _warn_once(self, sentence: str, *, about: str | None = None) -> None:
        """`about`: what makes two sentences the same, where they differ in figures."""
        if (about or sentence) not in self._warned:
            self._warned.add(about or sentence)
            logger.warning("%s", sentence)

    def _announce(self, context: Context, replicas: int, reason: str) -> None:
        change = (context.target_num_replicas, replicas)
        if replicas != context.target_num_replicas and change != self._announced:
            logger.info("%s/%s: %d -> %d replicas; %s", context.app_name, context.deployment_name, *change, reason)
        self._announced = change


def ray_autoscaling_config(**policy_kwargs: Any) -> dict[str, Any]:
    """Ray's `autoscaling_config` of a deployment that MarketHoursPolicy scales; `policy_kwargs` are its arguments.

    Raises ScalingLimitsError (a ValueError) that names the argument and what it may be.
    """
    settings = PolicySettings.of(policy_kwargs)
    return {
        "target_ongoing_requests": settings.limits.target_ongoing_requests,
        "min_replicas": settings.limits.fewest,
        "max_replicas": settings.limits.max_replicas,
        # The policy damps; Ray's own delays would come on top.
        "upscale_delay_s": 0.0,
        "downscale_delay_s": 0.0,
        # Replicas report every second, and the load is the mean of three; Ray's 10 and 30 are slow to see a burst.
        "metrics_interval_s": 1.0,
        "look_back_period_s": 3.0,
        "policy": {
            "policy_function": "serving.autoscaling_policy:MarketHoursPolicy",
            "policy_kwargs": {name: value for name, value in policy_kwargs.items() if name not in settings.rays_own},
        },
    }


def _moment(text: Any) -> datetime | None:
    """The moment that an ISO 8601 text with a zone means; None if it is no such text."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return None if moment.tzinfo is None else moment


def _finite(ongoing_requests: float) -> float:
    if not math.isfinite(ongoing_requests) or ongoing_requests < 0:
        raise ValueError(f"{ongoing_requests} ongoing requests")
    return ongoing_requests
