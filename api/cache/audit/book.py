"""What the audits add up to: which classes of questions are answered wrongly by nearness too often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_WRONG_RATE = 0.02
MIN_WRONG = 3
"""One odd answer is no pattern."""
Z = 3.0
"""Standard errors: 99.7 %, and not the usual 95 %, because the conclusion is drawn anew after every audit."""


class Tier(StrEnum):
    EXACT = "exact"
    CANONICAL = "canonical"
    SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class Tally:
    """Audits that came to a verdict, and those of them that found another answer."""

    audits: int = 0
    wrong: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.audits + other.audits, self.wrong + other.wrong)

    @property
    def rate(self) -> float:
        return self.wrong / self.audits if self.audits else 0.0


def wilson(tally: Tally) -> tuple[float, float]:
    """99.7 % bounds of the true rate of wrong ones (E. B. Wilson, 1927). Without audits it may be anything."""
    if tally.audits == 0:
        return 0.0, 1.0
    count, rate = tally.audits, min(tally.rate, 1.0)
    denominator = 1 + Z**2 / count
    centre = (rate + Z**2 / (2 * count)) / denominator
    margin = Z * math.sqrt(rate * (1 - rate) / count + Z**2 / (4 * count**2)) / denominator
    return max(0.0, centre - margin), min(1.0, centre + margin)


def surely_higher(one: Tally, other: Tally) -> bool:
    """Whether `one`'s rate is above `other`'s: the lower 99.7 % bound of their difference (R. G. Newcombe, 1998) is."""
    difference = one.rate - other.rate
    return difference > math.hypot(one.rate - wilson(one)[0], wilson(other)[1] - other.rate)


@dataclass(slots=True)
class AuditBook:
    """Tallies by class of question and tier. Pure: who reads and adds them up elsewhere makes a new one."""

    tallies: dict[tuple[str, Tier], Tally] = field(default_factory=dict)

    @classmethod
    def read(cls, *counts: Mapping[str, int]) -> AuditBook:
        """From the fields that `entry_fields` gave, of several days. What makes no sense is left out."""
        book = cls()
        for day in counts:
            for name, count in day.items():
                book._add(name, count)
        return book

    def _add(self, name: str, count: int) -> None:
        question_class, _, rest = name.rpartition("|")
        tier, _, kind = rest.partition(":")
        if count < 0 or tier not in set(Tier) or kind not in ("audits", "wrong"):
            return
        key = (question_class, Tier(tier))
        added = Tally(audits=count) if kind == "audits" else Tally(wrong=count)
        self.tallies[key] = self.tallies.get(key, Tally()) + added

    def tally(self, question_class: str, tier: Tier) -> Tally:
        return self.tallies.get((question_class, tier), Tally())

    def noise(self, question_class: str) -> Tally:
        """How often the engine contradicts itself: exact hits asked again, of this class or, without any, of all."""
        own = self.tally(question_class, Tier.EXACT)
        if own.audits:
            return own
        return sum((tally for (_, tier), tally in self.tallies.items() if tier is Tier.EXACT), Tally())

    def demoted(self) -> frozenset[str]:
        """Classes whose wrong rate by nearness is surely above 2 %, and above that of the very same questions."""
        return frozenset(name for (name, tier) in self.tallies if tier is Tier.SEMANTIC and self._is_demoted(name))

    def _is_demoted(self, question_class: str) -> bool:
        near, noise = self.tally(question_class, Tier.SEMANTIC), self.noise(question_class)
        if near.wrong < MIN_WRONG or wilson(near)[0] <= MAX_WRONG_RATE:
            return False
        return noise.audits == 0 or surely_higher(near, noise)


def entry_fields(question_class: str, tier: Tier, *, wrong: bool) -> dict[str, int]:
    """What one audit adds to the counters."""
    fields = {f"{question_class}|{tier}:audits": 1}
    if wrong:
        fields[f"{question_class}|{tier}:wrong"] = 1
    return fields
