"""How long a run measures, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Progress = Callable[[str], None]

_Subject = TypeVar("_Subject")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """`seconds`: of each part of a round."""

    rounds: int = 5
    seconds: float = 3.0


def turns(subjects: Sequence[_Subject], rounds: int) -> Iterator[tuple[int, _Subject]]:
    """The number of the round, from 1 on, and whose turn it is.

    The order turns by one each round, so that nobody always follows the same one.
    """
    for number in range(rounds):
        first = number % len(subjects)
        for subject in [*subjects[first:], *subjects[:first]]:
            yield number + 1, subject
