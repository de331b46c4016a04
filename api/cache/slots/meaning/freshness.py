"""Whether the right answer depends on the day it is asked.

Too many questions here cost hits after five minutes; one too few serves yesterday's price for a day. So whatever is
asked without a date about a thing that moves is taken to be about now.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from api.cache.slots.question.frame import Frame

_METRIC_KINDS: Final = frozenset({"market", "date"})
# What moves within hours, whatever is asked of it.
_THINGS: Final = frozenset(
    """weather forecast temperature rain raining snow snowing storm pollen traffic score scores scoreline standings
    leaderboard odds poll polls news headline headlines breaking trending viral quote quotes ticker premarket
    aftermarket futures stock stocks share shares spread spreads rate rates price prices priced pricing cost costs
    trading bitcoin ethereum crypto outage outages status delay delays delayed wait queue eta arrivals departures
    availability inventory vacancy vacancies opening openings election elections game match flight flights movies
    showtimes air dow nasdaq dax ftse nikkei""".split()  # noqa: SIM905 -- a list of words reads best as text
)
# What tells that the present is meant, or that the answer may have come about since.
_NOW: Final = frozenset(
    """yet still already recently lately anymore nowadays currently presently newest latest upcoming next soon tonight
    today yesterday tomorrow just ever winning leading happening playing live until till left worth overvalued
    undervalued richest wealthiest convert conversion exchange win won wins lose lost beat buy
    sell hold gas""".split()  # noqa: SIM905 -- idem
)
# What was bought is bought.
_DONE: Final = frozenset({("idiom", "acquire"), ("idiom", "buy-at-price"), ("idiom", "complete-acquisition")})
_PAIRS: Final = (("so", "far"), ("these", "days"), ("of", "late"), ("to", "date"))
_ASKED: Final = (("the", "market"), ("close", "at"), ("time", "is"), ("time", "it"), ("the", "world"))
_CURRENCY_PAIR: Final = re.compile(r"[a-z]{3}/[a-z]{3}")
_PRESENT: Final = frozenset({"is", "are", "am", "does", "do", "has", "have"})
_MOVES: Final = frozenset(
    """up down rising falling dropping climbing gaining losing surging plunging crashing rallying open closed
    online offline""".split()  # noqa: SIM905 -- idem
)


def depends_on_the_day(frame: Frame, *, relative: bool) -> bool:
    """`relative`: a period of the question depends on the day."""
    if relative or frame.asks_for_results_day or frame.says_now:
        return True
    words = [word.text for word in frame.words]
    pairs = set(pairwise(words))
    if not pairs.isdisjoint(_PAIRS):
        return True
    if any(item.slot == "periods" or (item.slot, item.value) in _DONE for item in frame.items):
        return False
    known = {word for before, word in pairwise(["", *words]) if (before.removesuffix("s"), word) != ("make", "up")}
    return (
        bool(frame.metric_kinds & _METRIC_KINDS)
        or bool(known & _NOW)
        or bool(known & _THINGS and not frame.metrics)
        or bool(known & _PRESENT and known & _MOVES)
        or words[:1] in (["has"], ["have"])
        or not pairs.isdisjoint(_ASKED)
        or _asks_for_a_quote(frame)
        or _converts(frame)
    )


def _asks_for_a_quote(frame: Frame) -> bool:
    """A company's name or ticker and nothing else, or where an index stands."""
    if any(frame.kind(item) == "index" for item in frame.items) and not frame.metrics:
        return True
    return bool(frame.companies) and all(item.slot == "entities" for item in frame.items)


def _converts(frame: Frame) -> bool:
    currencies = {item.value for item in frame.items if item.slot == "currencies"}
    return len(currencies) > 1 or any(_CURRENCY_PAIR.fullmatch(word.text) for word in frame.words)
