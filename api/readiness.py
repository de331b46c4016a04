"""What the gateway depends on, and whether it can serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

_TIMEOUT_S = 1.0
_REUSED_FOR_S = 0.5


class NotReady(Exception):
    """A dependency answers and cannot be used; whoever asks is told the message, so it holds no secret."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """`check` raises NotReady, or anything when it is away.

    Without an `essential` one no request can be answered; the others degrade.
    """

    check: Callable[[], Awaitable[None]]
    essential: bool = False


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    ready: bool
    status: str
    """`ready`, `degraded` (serving without a dependency) or `unavailable`."""
    dependencies: Mapping[str, str]
    """Name -> `ok` or what is wrong, without addresses or credentials."""
    cache: Mapping[str, str] | None = None
    """What the answer cache is made of; None where there is none."""


class Readiness:
    def __init__(
        self,
        dependencies: Mapping[str, Dependency],
        *,
        needs_one_of: frozenset[str] = frozenset(),
        cache: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        """`needs_one_of`: of these (the upstreams) at least one must be there. `cache`: what it is made of by now."""
        self._dependencies = dependencies
        self._needs_one_of = needs_one_of
        self._cache = cache
        self._checking: asyncio.Task[ReadinessReport] | None = None
        self._checked_s = 0.0

    async def report(self) -> ReadinessReport:
        """Checks everything at once, within a second; callers within half a second share one check."""
        if self._checking is None or (self._checking.done() and time.monotonic() - self._checked_s > _REUSED_FOR_S):
            self._checking = asyncio.create_task(self._check_all())
        return await asyncio.shield(self._checking)

    async def _check_all(self) -> ReadinessReport:
        states = dict(
            zip(
                self._dependencies,
                await asyncio.gather(*(_state(dependency) for dependency in self._dependencies.values())),
                strict=True,
            )
        )
        self._checked_s = time.monotonic()
        away = {name for name, state in states.items() if state != "ok"}
        essential = {name for name, dependency in self._dependencies.items() if dependency.essential}
        ready = not (away & essential) and not (self._needs_one_of and self._needs_one_of <= away)
        status = "unavailable" if not ready else "degraded" if away else "ready"
        return ReadinessReport(ready, status, states, None if self._cache is None else self._cache())


async def _state(dependency: Dependency) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await dependency.check()
    except TimeoutError:
        return "no answer"
    except NotReady as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a check may fail in any way, and each is the same news: it is away
        return f"away ({type(error).__name__})"
    return "ok"
