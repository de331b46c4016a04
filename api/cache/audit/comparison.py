"""Whether two answers say the same: their numbers, units, currencies, periods, names and directions.

Engines word the same answer in many ways, so only a contradiction counts as a difference, and what neither agrees nor
contradicts is undecided. Reasons are words of this module, never of the answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from api.cache.slots.text.tokens import tokenize
from api.cache.slots.types import Token
from api.cache.slots.values.amounts import Amount, amount_at
from api.cache.slots.values.periods import find_periods

# What is written later in a long answer explains the beginning.
_READ_CHARACTERS = 6000
_MARKERS = re.compile(r"(?m)^\s*(?:\d{1,2}[.)]|[-*•])\s+|\[\d+\]")
_UP = frozenset(
    """increase increased increases rise rose rises risen grow grew grows grown growth gain gained gains higher up
    improve improved improves expand expanded beat exceeded""".split()  # noqa: SIM905 -- reads best as text
)
_DOWN = frozenset(
    """decrease decreased decreases decline declined declines fall fell falls fallen drop dropped drops lower down
    shrink shrank loss worsened contracted missed""".split()  # noqa: SIM905 -- reads best as text
)
# Words that begin sentences and name nothing.
_NO_NAMES = frozenset(
    """a according after all also although an and as at based because both but by compared currently despite during
    each first for from he her here his how however i if in is it its last no not of on one or our overall please she
    since so some that the their there these they this those to two under was we were what when where which while
    who why with yes you your""".split()  # noqa: SIM905 -- reads best as text
)
_SAME_UNIT = {"$": "USD", "¥": "JPY", "pound": "GBP", "rupee": "INR"}
_SHARES = frozenset({"%", "pp", "bp", "x"})


class Outcome(StrEnum):
    AGREE = "agree"
    DIFFER = "differ"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    outcome: Outcome
    reasons: tuple[str, ...]
    """What decided it: same text, numbers, periods, names, yes or no, direction, wording, one without numbers."""


class _Facts(NamedTuple):
    tokens: tuple[Token, ...]
    numbers: list[Amount]
    years: set[str]
    quarters: set[str]
    names: set[str]
    words: set[str]


def compare_answers(cached: str, fresh: str) -> AuditVerdict:
    """`cached` was served, `fresh` is what the engine says to the same request. Reads 6,000 characters of each."""
    if cached.split() == fresh.split():
        return AuditVerdict(Outcome.AGREE, ("same text",))
    one, other = _facts(cached), _facts(fresh)
    contradictions = _contradictions(one, other)
    numbers = _compare_numbers(one.numbers, other.numbers)
    if numbers is Outcome.DIFFER:
        contradictions.append("numbers")
    if contradictions:
        return AuditVerdict(Outcome.DIFFER, tuple(contradictions))
    if numbers is not None:
        return AuditVerdict(numbers, ("numbers",))
    if one.numbers or other.numbers:
        return AuditVerdict(Outcome.UNDECIDED, ("one without numbers",))
    return _compare_words(one, other)


def _facts(answer: str) -> _Facts:
    tokens = tokenize(_MARKERS.sub(" ", answer[:_READ_CHARACTERS]))
    periods = find_periods(tokens).spans
    taken = {index for span in periods for index in range(span.start, span.end)}
    values = " ".join(span.value for span in periods)
    return _Facts(
        tokens=tokens,
        numbers=_numbers(tokens, taken),
        years=set(re.findall(r"(?<!\d)\d{4}", values)),
        quarters=set(re.findall(r"Q\d|H\d", values)),
        names={token.text for token in tokens if token.raw[0].isupper() and token.text not in _NO_NAMES},
        words={token.text for token in tokens},
    )


def _numbers(tokens: Sequence[Token], taken: set[int]) -> list[Amount]:
    """In the order of mention. Words such as "one" and "two" count only with a unit: they mostly count sentences."""
    free = [index not in taken for index in range(len(tokens))]
    numbers: list[Amount] = []
    index = 0
    while index < len(tokens):
        amount = amount_at(tokens, index, free)
        if amount is None or not amount.numbers:
            index += 1
            continue
        if amount.unit or any(map(str.isdigit, tokens[index].text)):
            numbers.append(amount)
        index = amount.end
    return numbers


def _contradictions(one: _Facts, other: _Facts) -> list[str]:
    found: list[str] = []
    if {_yes_or_no(one), _yes_or_no(other)} == {"yes", "no"}:
        found.append("yes or no")
    if _disjoint(one.years, other.years) or _disjoint(one.quarters, other.quarters):
        found.append("periods")
    if {_direction(one), _direction(other)} == {"up", "down"}:
        found.append("direction")
    return found


def _yes_or_no(facts: _Facts) -> str | None:
    return facts.tokens[0].text if facts.tokens and facts.tokens[0].text in ("yes", "no") else None


def _direction(facts: _Facts) -> str | None:
    up, down = bool(facts.words & _UP), bool(facts.words & _DOWN)
    return None if up == down else "up" if up else "down"


def _disjoint(one: set[str], other: set[str]) -> bool:
    return bool(one) and bool(other) and one.isdisjoint(other)


def _compare_numbers(one: Sequence[Amount], other: Sequence[Amount]) -> Outcome | None:
    """None unless both have numbers.

    An engine may leave out or add a number, but the first of an answer is what was asked for: where neither answer's
    first number is found in the other, they differ.
    """
    if not one or not other:
        return None
    fewer, more = sorted((one, other), key=len)
    found = sum(any(_same_number(number, candidate) for candidate in more) for number in fewer)
    if found == len(fewer):
        return Outcome.AGREE
    if found == 0 or not (_has(other, one[0]) or _has(one, other[0])):
        return Outcome.DIFFER
    return Outcome.AGREE if 2 * found >= len(fewer) else Outcome.UNDECIDED


def _has(numbers: Sequence[Amount], wanted: Amount) -> bool:
    return any(_same_number(number, wanted) for number in numbers)


def _same_number(one: Amount, other: Amount) -> bool:
    """Equal once the more precise one is rounded as the other is."""
    if not _same_unit(one.unit, other.unit) or len(one.numbers) != len(other.numbers):
        return False
    tolerance = max(one.step, other.step) / Decimal(2)
    return all(abs(a - b) <= tolerance for a, b in zip(one.numbers, other.numbers, strict=True))


def _same_unit(one: str, other: str) -> bool:
    one, other = _SAME_UNIT.get(one, one), _SAME_UNIT.get(other, other)
    if one == other:
        return True
    # "revenue of 5,200 million" may leave its currency out, but no share is without its sign.
    return not (one and other) and not ({one, other} & _SHARES)


def _compare_words(one: _Facts, other: _Facts) -> AuditVerdict:
    if one.names and other.names:
        shared = len(one.names & other.names)
        fewer = min(len(one.names), len(other.names))
        if shared == 0:
            return AuditVerdict(Outcome.DIFFER, ("names",))
        return AuditVerdict(Outcome.AGREE if 2 * shared > fewer else Outcome.UNDECIDED, ("names",))
    union = len(one.words | other.words)
    close = union > 0 and 2 * len(one.words & other.words) >= union
    return AuditVerdict(Outcome.AGREE if close else Outcome.UNDECIDED, ("wording",))
