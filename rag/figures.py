"""The figures of a text, in a form that does not depend on how they are written."""

from __future__ import annotations

import re
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
_YEARS = range(1900, 2101)
# Longer ones are identifiers.
_MOST_DIGITS = 30


def figures(text: str) -> frozenset[str]:
    """Numbers, as far as they can be looked for elsewhere. Years alone are no figures: a text may be of one it does not
    name.
    """
    found = (_canonical(match) for match in _FIGURE.finditer(_ENUMERATION.sub("", text)))
    return frozenset(figure for figure in found if figure is not None)


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
