"""Whether Redis has room for more: the limits of requests live there too, and a full Redis takes nobody's writes."""

from __future__ import annotations

from collections.abc import Callable

from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError

_HOLDS_S = 2.0


class RedisMemory:
    def __init__(
        self, *, link: RedisLink, share: float, on_change: Callable[[bool], None], clock: Callable[[], float]
    ) -> None:
        """`share`: of the memory that Redis may have (`maxmemory`); the rest is left to others.

        `on_change(is_tight)` is called once for each change. `clock` gives seconds and never goes back.
        """
        self._link = link
        self._share = share
        self._on_change = on_change
        self._clock = clock
        self._is_tight = False
        self._asked_s: float | None = None

    async def is_tight(self) -> bool:
        """As it was two seconds ago at most. Raises RedisAwayError; a Redis that does not tell has room."""
        if self._asked_s is None or self._clock() - self._asked_s >= _HOLDS_S:
            self._asked_s = self._clock()
            try:
                self._note(is_tight=self._above_share(await self._link.call("INFO", "memory")))
            except RedisRefusedError:
                self._note(is_tight=False)
            except RedisAwayError:
                self._asked_s = None
                raise
        return self._is_tight

    def _note(self, *, is_tight: bool) -> None:
        if is_tight is not self._is_tight:
            self._is_tight = is_tight
            self._on_change(is_tight)

    def _above_share(self, info: bytes) -> bool:
        numbers: dict[bytes, int] = {}
        for line in info.splitlines():
            name, _, value = line.partition(b":")
            if value.isdigit():
                numbers[name] = int(value)
        most = numbers.get(b"maxmemory", 0)
        return most > 0 and numbers.get(b"used_memory", 0) > self._share * most
