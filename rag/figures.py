"""The figures of a text, in a form that does not depend on how they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

# Not the digits of Q3, FY24, v1.2 or 3Q24; a thousand is 1,000, 1'000 or 1 000 with a space that does not break.
_FIGURE = re.compile(
    r"""(?<![\w.])
        (?P<whole>\d(?:[\d,'\u00a0\u202f]*\d)?)(?P<part>\.\d+)?
        (?=(?:[kKmMbBxX]|[mb]n)?(?:\W|\Z))""",
    re.VERBOSE,
)
_SEPARATORS = str.maketrans("", "", ",'\u00a0\u202f")
_ENUMERATION = re.compile(r"^[^\S\n]*\d{1,2}[.)]\s+", re.MULTILINE)
# From so many digits on, a figure is the same in units, thousands and millions: 412.6 million and 412,600.
_TELLING_DIGITS = 3
# One letter alone only right behind the digits: elsewhere it may be a metre.
_SCALE = re.compile(r"(?:[\s-]?(?P<word>thousand|million|billion|trillion|mn|bn)s?|(?P<letter>[kmb]))\b", re.IGNORECASE)
_SCALES = {"thousand": 3, "k": 3, "million": 6, "mn": 6, "m": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12}
_YEARS = range(1900, 2101)
# Longer ones are identifiers.
_MOST_DIGITS = 30


Amounts = Mapping[str, frozenset[Decimal | None]]
"""By figure what it is worth, at each place that has it; None: the place does not say whether it is in millions."""


def figures(text: str) -> frozenset[str]:
    """Numbers, as far as they can be looked for elsewhere. Years alone are no figures: a text may be of one it does not
    name.
    """
    return frozenset(amounts(text))


def amounts(text: str) -> Amounts:
    """Its figures, and how large it says they are."""
    text = _ENUMERATION.sub("", text)
    found: dict[str, frozenset[Decimal | None]] = {}
    for match in _FIGURE.finditer(text):
        if (figure := _canonical(match)) is not None:
            found[figure] = found.get(figure, frozenset()) | {_worth(match, text)}
    return found


def agreeing(said: Amounts, has: Amounts) -> frozenset[str]:
    """Figures of `said` that `has` has too, and not of another size: 4.1 billion is not 4.1 million."""
    return frozenset(
        figure
        for figure, worth in said.items()
        if (known := has.get(figure)) is not None and (None in known or worth - {None} <= known)
    )


def _worth(match: re.Match[str], text: str) -> Decimal | None:
    scale = _SCALE.match(text, match.end())
    if scale is None:
        return None
    exponent = _SCALES[(scale["word"] or scale["letter"]).lower()]
    return Decimal(match["whole"].translate(_SEPARATORS) + (match["part"] or "")).scaleb(exponent)


def _canonical(match: re.Match[str]) -> str | None:
    whole, part = match["whole"], match["part"] or ""
    digits = whole.translate(_SEPARATORS)
    if len(digits) > _MOST_DIGITS:
        return None
    if not part and whole == digits and int(digits) in _YEARS:
        return None
    telling = (digits + part[1:]).strip("0")
    if len(telling) >= _TELLING_DIGITS:
        return telling
    return f"={Decimal(digits + part).normalize():f}"
