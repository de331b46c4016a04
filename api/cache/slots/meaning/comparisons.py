"""Comparisons in one form: "does Ford have a higher margin than GM" is "is Ford's margin higher than GM's".

Works on the parts of a question. Who is compared with whom stays as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from api.cache.slots.question.parts import Part

_THAN = Part("residual", "than")
_DEGREES = {
    **dict.fromkeys(("higher", "larger", "more"), "more"),
    **dict.fromkeys(("lower", "smaller", "less", "fewer"), "less"),
}
# Words that stand around the two and add nothing. "Than at Ford", "have a higher margin".
_AROUND = (Part("residual", "have"), Part("residual", "at"), Part("residual", "in"), Part("residual", "that"))
_DESCRIBING = frozenset({"basis", "units", "currencies", "soft"})
_YEAR = re.compile(r"(?P<start>(?:[A-Z0-9]+-)?(?:FY|CY)?)(?P<year>\d{4})")
_MOVES = frozenset({"up", "down", "change"})


def is_higher(parts: Sequence[Part], question_type: str) -> list[Part] | None:
    """What is compared, its measure, and with what it is compared, in this order; None: it is no such comparison."""
    if question_type != "yes-no" or parts.count(_THAN) != 1:
        return None
    said = [part for part in parts if part not in _AROUND]
    than = said.index(_THAN)
    degrees = [part for part in said if part.slot == "directions"]
    measures = {part for part in said if part.slot == "metrics"}
    describing = [part for part in said if part.slot in _DESCRIBING]
    if len(degrees) != 1 or degrees[0].value not in _DEGREES or len(measures) != 1 or said.index(degrees[0]) > than:
        return None
    compared = [part for part in said if part.slot not in ("directions", "metrics", *_DESCRIBING)]
    if any(part.slot == "basis" for part in said[than:]):
        return None
    if describing and sum(part.slot == "metrics" for part in said) > 1:
        # Both have it, or only one of them
        return None
    arranged = _arranged(compared)
    if arranged is None:
        return None
    degree = Part("directions", _DEGREES[degrees[0].value])
    return [*describing, *measures, degree, *arranged]


def _arranged(compared: list[Part]) -> list[Part] | None:
    """Two companies and perhaps a period, or a company and two periods."""
    names = [part for part in compared if part.slot == "entities"]
    periods = [part for part in compared if part.slot == "periods"]
    if len(names) + len(periods) + 1 != len(compared) or len({*names, *periods}) + 1 != len(compared):
        return None
    if any(name.value.startswith(("geography:", "segment:")) for name in names):
        return None
    at = compared.index(_THAN)
    if len(names) == 2 and len(periods) < 2:
        is_between = names[0] in compared[:at] and names[1] in compared[at:]
        return [names[0], _THAN, names[1], *periods] if is_between else None
    if len(names) == 1 and len(periods) == 2 and compared[at + 1 : at + 2] == [periods[1]]:
        return [names[0], periods[0], _THAN, periods[1]]
    return None


def with_year_before(parts: Sequence[Part], text_of_period: str) -> list[Part]:
    """ "Rose in Q1 2024 compared with Q1 2023", "rose from Q1 2023 to Q1 2024": rose year over year in Q1 2024."""
    periods = [part for part in parts if part.slot == "periods"]
    directions = [part for part in parts if part.slot == "directions"]
    has_basis = any(part.slot == "basis" for part in parts)
    if len(periods) != 1 or len(directions) != 1 or directions[0].value not in _MOVES or has_basis:
        return list(parts)
    begins = text_of_period.startswith(("from ", "between ")) and "through" not in text_of_period
    if ".." in periods[0].value and not begins:
        # "2022-2023" and "from 2022 through 2023" may be all that time
        return list(parts)
    later = _year_after(periods[0].value)
    if later is None:
        return list(parts)
    at = parts.index(periods[0])
    return [*parts[:at], Part("basis", "yoy"), Part("periods", later), *parts[at + 1 :]]


def _year_after(period: str) -> str | None:
    """The later of the two, if they are the same part of two years that follow each other."""
    if "-vs-" in period:
        later, _, earlier = period.partition("-vs-")
    else:
        earlier, _, later = period.partition("..")
    one, other = _YEAR.fullmatch(earlier), _YEAR.fullmatch(later)
    if one is None or other is None or one["start"] != other["start"] or int(one["year"]) + 1 != int(other["year"]):
        return None
    return later


def with_both_periods(parts: Sequence[Part], text_of_period: str) -> list[Part]:
    """ "Compare it between Q1 and Q2" compares the two, not all that lies between."""
    periods = [part for part in parts if part.slot == "periods"]
    if len(periods) != 1 or "between" not in text_of_period or periods[0].value.count("..") != 1:
        return list(parts)
    at = parts.index(periods[0])
    one, other = (Part("periods", value) for value in periods[0].value.split(".."))
    return [*parts[:at], one, Part("residual", "and"), other, *parts[at + 1 :]]
