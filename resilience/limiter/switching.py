"""The limiter of a gateway worker: Redis' exact windows while Redis answers, this worker's share of them while not.

Losing Redis costs the requests under way `timeout_s` at most and later ones nothing: they are decided here until a
probe in the background has booked something in Redis again. What was admitted meanwhile is then booked there first.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context

from resilience.limiter.base import LimitDecision, LimiterState, Reservation, Window
from resilience.limiter.decisions import admit_without_limits, decide, refuse_impossible
from resilience.limiter.local_windows import LocalWindows
from resilience.limiter.redis_windows import RedisWindows, SharedWindowsLostError
from resilience.limiter.window import is_refused

PROBE_INTERVAL_S = 0.5
# A Redis that fails again within this time of coming back is left alone for twice as long as the time before.
SETTLED_S = 5.0
LONGEST_PROBE_INTERVAL_S = 8.0

OnStateChange = Callable[[bool, str], None]


class SwitchingLimiter:
    """Belongs to one event loop. `on_state_change(degraded, reason)` is called once for each loss and each return."""

    def __init__(
        self,
        *,
        shared: RedisWindows,
        local: LocalWindows,
        on_state_change: OnStateChange,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives numbers from 0 to 1, so that the workers do not all probe at once."""
        self._shared = shared
        self._local = local
        self._on_state_change = on_state_change
        self._clock = clock
        self._jitter = jitter
        self._state = LimiterState.LOCAL
        self._epoch = 0
        self._retold_epoch = 0
        self._probe_interval_s = PROBE_INTERVAL_S
        self._shared_since_s = -SETTLED_S
        self._healing: asyncio.Task[None] | None = None
        shared.on_lost = self._degrade

    @property
    def state(self) -> LimiterState:
        return self._state

    async def start(self) -> None:
        """Connect to Redis; a Redis that is away is reported and probed for, not raised."""
        if self._healing is not None or self._state is LimiterState.SHARED:
            return
        try:
            await self._hand_back()
        except SharedWindowsLostError as error:
            self._on_state_change(True, str(error))
            self._begin_healing(at_once=False)

    async def reserve(self, windows: Sequence[Window], tokens: int) -> LimitDecision:
        if tokens < 0:
            raise ValueError(f"tokens to reserve must not be negative, got {tokens}")
        if not windows:
            return admit_without_limits(tokens)
        for window in windows:
            if tokens > window.quota.tokens_per_min:
                return refuse_impossible(windows, tokens)
        if self._state is LimiterState.SHARED:
            try:
                verdicts, shared_second = await self._shared.reserve(windows, tokens)
            except SharedWindowsLostError:  # which has switched this limiter already
                return self._reserve_locally(windows, tokens)
            if is_refused(verdicts):
                return decide(verdicts, windows, None)
            second = self._local.record(windows, tokens)
            return decide(verdicts, windows, Reservation(windows, tokens, second, shared_second, self._epoch))
        return self._reserve_locally(windows, tokens)

    def settle(self, reservation: Reservation, used_tokens: int) -> None:
        if reservation.settled:
            return
        reservation.settled = True
        difference = max(0, used_tokens) - reservation.tokens
        if difference == 0:
            return
        unshared = reservation.shared_second is None and reservation.epoch == self._epoch
        self._local.adjust(reservation.windows, reservation.second, difference, unshared=unshared)
        if not unshared:
            second = reservation.shared_second
            if second is None or reservation.epoch < self._retold_epoch:  # it was this limiter that told Redis of it
                second = self._shared.second_of(reservation.second)
            for window in reservation.windows:
                self._shared.adjust(window.key, second, 0, difference)

    async def aclose(self) -> None:
        if self._healing is not None:
            self._healing.cancel()
            with suppress(asyncio.CancelledError):
                await self._healing
            self._healing = None
        await self._shared.aclose()
        self._state = LimiterState.LOCAL

    def _reserve_locally(self, windows: Sequence[Window], tokens: int) -> LimitDecision:
        verdicts, second = self._local.reserve(windows, tokens)
        reservation = None if is_refused(verdicts) else Reservation(windows, tokens, second, epoch=self._epoch)
        return decide(verdicts, windows, reservation, [self._local.share(window.quota) for window in windows])

    def _degrade(self, reason: str) -> None:
        if self._state is LimiterState.LOCAL:
            return
        self._state = LimiterState.LOCAL
        self._epoch += 1
        short_lived = self._clock() - self._shared_since_s < SETTLED_S
        self._probe_interval_s = (
            min(2 * self._probe_interval_s, LONGEST_PROBE_INTERVAL_S) if short_lived else PROBE_INTERVAL_S
        )
        self._on_state_change(True, reason)
        self._begin_healing(at_once=not short_lived)

    def _begin_healing(self, *, at_once: bool) -> None:
        # In a context of its own: it is not part of the request that happened to notice, and must not log its id.
        probe, name = self._heal(at_once=at_once), "rate limiter: probe Redis"
        self._healing = asyncio.get_running_loop().create_task(probe, name=name, context=Context())

    async def _heal(self, *, at_once: bool) -> None:
        """Probe until Redis is back; at once where it may only have hung up, as some do on idle connections."""
        while True:
            if not at_once:
                await asyncio.sleep(self._probe_interval_s * (0.5 + self._jitter()))
            at_once = False
            try:
                reason = await self._hand_back()
            except SharedWindowsLostError:
                continue
            except Exception as error:  # noqa: BLE001  # whatever goes wrong, probing must go on; it is reported
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "the probe of the rate limiter's Redis failed", "exception": error}
                )
            else:
                self._on_state_change(False, reason)
                return

    async def _hand_back(self) -> str:
        remembers = await self._shared.connect()
        if not self._shared.connected:
            raise SharedWindowsLostError("Redis hung up at once")
        self._epoch += 1
        if not remembers:
            self._retold_epoch = self._epoch
        spent = self._local.take_unshared() if remembers else self._local.take_everything()
        for key, bucket in spent:
            self._shared.adjust(key, self._shared.second_of(bucket.second), bucket.requests, bucket.tokens)
        self._shared_since_s = self._clock()
        self._healing = None
        self._state = LimiterState.SHARED
        return "Redis answers" if remembers else "Redis answers, and was told what it had forgotten"


def redis_limiter(
    *,
    url: str,
    share_count: int,
    on_state_change: OnStateChange,
    timeout_s: float = 0.08,
    prefix: str = "limits",
    clock: Callable[[], float] = time.monotonic,
) -> SwitchingLimiter:
    """A limiter over the Redis at `url` for one of `share_count` workers; call `start` in its event loop."""
    return SwitchingLimiter(
        shared=RedisWindows(url=url, clock=clock, timeout_s=timeout_s, prefix=prefix),
        local=LocalWindows(clock=clock, share_count=share_count),
        on_state_change=on_state_change,
        clock=clock,
    )
