"""What a check can come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from serving.tools.validation.deployment import Deployment


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """It works, and does not have this feature."""
    SKIPPED = "skipped"


class CheckFailed(Exception):
    """What is wrong in one sentence, and what to look at."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class Unsupported(Exception):
    """The server does not have what was asked for, in a way that it may."""


class Skipped(Exception):
    """There is nothing to check it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`run` says in a few words what it saw, or raises one of the above. Without those it `needs` it is skipped."""

    name: str
    run: Callable[[Deployment], Awaitable[str]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    name: str
    outcome: Outcome
    detail: str
    hint: str
    seconds: float
