"""The words that periods are made of. Each has a one-letter code, so that patterns over words are regular expressions.

Y y  a year: 2024, '24               N d O  5, 5th, first..fourth          n    a number in words
F C g  fiscal, calendar, financial   Q q  Q3, quarter    H J h  H1, 1H, half    K  9M
M    a month    W  a weekday         r m w D  year, month, week, day or decade     I    a whole date
E S e x  end, start, early, ended    L R G  last, today, ago               o i t a u z  of, in, the, as, full, date
f j T A v V  from, between, to, and, or, versus    s  since    -  a dash    .  anything else    !  not understood
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from api.cache.slots.types import Token

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *("january jan", "february feb", "march mar", "april apr", "may may", "june jun", "july jul"),
            *("august aug", "september sep sept", "october oct", "november nov", "december dec"),
        ),
        start=1,
    )
    for name in names.split()
}
# Words of their own too, so that alone they say nothing about a month.
_WEAK_MONTHS = frozenset(
    {"march", "may", "august", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"}
)
_BEFORE_MONTH = frozenset(
    {"in", "of", "since", "by", "during", "for", "until", "till", "from", "to", "through", "last", "this", "next"}
)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

_WORDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("fiscal", "fy"), ("F", "FY")),
    **dict.fromkeys(("calendar", "cy"), ("C", "CY")),
    "financial": ("g", "FY"),
    **dict.fromkeys(("quarter", "quarters", "qtr", "qtrs"), ("q", "quarter")),
    **dict.fromkeys(("half", "halves"), ("h", "half")),
    **dict.fromkeys(("year", "years", "yr", "yrs"), ("r", "year")),
    **dict.fromkeys(("month", "months"), ("m", "month")),
    **dict.fromkeys(("week", "weeks"), ("w", "week")),
    **dict.fromkeys(("day", "days"), ("D", "day")),
    **dict.fromkeys(("decade", "decades"), ("D", "decade")),
    **dict.fromkeys(("end", "close"), ("E", "end")),
    **dict.fromkeys(("start", "beginning"), ("S", "start")),
    **{word: ("e", word) for word in ("early", "mid", "late", "middle")},
    **dict.fromkeys(("ended", "ending", "ends"), ("x", "to")),
    **{word: ("L", word) for word in ("last", "previous", "prior", "past", "this", "next", "latest", "recent")},
    **{word: ("L", word) for word in ("following", "preceding", "trailing", "rolling")},
    "current": ("L", "this"),
    **dict.fromkeys(("upcoming", "coming", "forthcoming"), ("L", "next")),
    **{word: ("R", word) for word in ("today", "yesterday", "tomorrow", "tonight")},
    **{word: ("R", word.upper()) for word in ("ytd", "qtd", "mtd", "wtd", "ntm", "ttm")},
    "ltm": ("R", "TTM"),
    "ago": ("G", "ago"),
    "of": ("o", ""),
    **dict.fromkeys(("in", "for", "during"), ("i", "")),
    "the": ("t", ""),
    "as": ("a", ""),
    "date": ("z", ""),
    **dict.fromkeys(("full", "whole", "entire"), ("u", "")),
    "from": ("f", ""),
    "between": ("j", ""),
    **dict.fromkeys(("until", "till"), ("T", "until")),
    "to": ("T", ""),
    "through": ("T", "through"),
    "and": ("A", ""),
    "or": ("v", ""),
    **dict.fromkeys(("vs", "versus", "over", "against"), ("V", "")),
    **{word: ("s", word) for word in ("since", "before", "after", "by", "post", "pre", "around", "circa")},
    "-": ("-", ""),
    **{f"{day}day": ("W", f"{day}day") for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")},
    **{word: ("O", str(number)) for number, word in enumerate(("first", "second", "third", "fourth"), start=1)},
    **{word: ("n", str(number)) for number, word in enumerate(_NUMBERS, start=1)},
}
_TWO_WORDS = {
    ("most", "recent"): ("L", "latest"),
    ("compared", "to"): ("V", ""),
    ("compared", "with"): ("V", ""),
    ("relative", "to"): ("V", ""),
    ("prior", "to"): ("s", "before"),
    ("as", "at"): ("a", ""),
}

_YEAR = r"(?:19[5-9]\d|20\d\d)"
_ANY_YEAR = rf"'?(?P<year>{_YEAR}|\d\d)"
_FUSED = re.compile(
    rf"""
      (?P<fye>fye) (?:'?(?P<fye_year>{_YEAR}|\d\d))?
    | (?P<basis>fy|cy)? {_ANY_YEAR} (?P<sub>q[1-4]|h[12])?
    """,
    re.VERBOSE,
)
_SUB_FIRST = re.compile(rf"(?P<sub>q[1-4]|[1-4]q|h[12]|[12]h|(?:3|6|9)m)(?:(?P<basis>fy|cy)?{_ANY_YEAR})?")
_MONTH_YEAR = re.compile(rf"(?P<day>\d\d?)?(?P<month>{'|'.join(MONTHS)})(?:{_ANY_YEAR})?")
_DAY = re.compile(r"(\d{1,2})(st|nd|rd|th)?")
_SPLIT_YEAR = re.compile(rf"(?P<basis>fy|cy)?(?P<year>{_YEAR})(?P<sign>[/-])(?P<second>\d\d)")
_YEAR_FIRST = re.compile(r"(\d{4})([/-])(\d\d?)\2(\d\d?)")
_YEAR_LAST = re.compile(r"(\d\d?)([/.-])(\d\d?)\2(\d{4})")
_MONTH_OF_YEAR = re.compile(rf"(\d\d?)/({_YEAR})")
_DECADE = re.compile(r"(?P<century>19[5-9]|20\d)0s|'(?P<nineties>[5-9])0s")
# "2020's" may be the year's or the decade's.
_DECADE_OR_YEAR = re.compile(r"(?:\d\d)?\d0's")
_LOOKS_LIKE_A_PERIOD = re.compile(
    rf"(?:fye?|cy)'?\d|[qh]'?\d|\d+[qh](?:\d|$)|{_YEAR}[/-]?[a-z]|\d{{1,4}}[/-]\d\d?[/-]\d|\d\d?\.\d\d?\.{_YEAR}|'\d\d|(?:\d\d)?\d0'?s"
)


class Word(NamedTuple):
    """One word of a token; a token such as `year-end` has several."""

    code: str
    value: str
    """What it stands for: a year in four digits, a number, a name. `I` has a whole date, ISO 8601."""
    token: int


def full_year(year: str) -> str:
    """Two digits mean 1950 to 2049."""
    if len(year) == 4:
        return year
    return ("20" if int(year) < 50 else "19") + year


def period_words(tokens: Sequence[Token], taken: frozenset[int]) -> list[Word]:
    """The tokens' words in order. A token in `taken` is anything else."""
    words: list[Word] = []
    skip = -1
    for index, token in enumerate(tokens):
        if index == skip:
            continue
        text = token.text
        following = tokens[index + 1].text if index + 1 < len(tokens) else ""
        two = _TWO_WORDS.get((text, following))
        if index in taken:
            words.append(Word(".", text, index))
        elif two is not None and index + 1 not in taken:
            # Both are consumed or neither is: the second has a code that fits no pattern but this one's.
            words += (Word(two[0], two[1], index), Word("+", "", index + 1))
            skip = index + 1
        elif text in _WORDS:
            code, value = _WORDS[text]
            words.append(Word(code, value, index))
        elif text in MONTHS:
            words.append(_month(tokens, index))
        elif _DECADE_OR_YEAR.fullmatch(token.raw):
            words.append(Word("!", text, index))
        elif text.isalpha() and not text.startswith(("fy", "cy")):
            words.append(Word(".", text, index))
        else:
            words += [Word(code, value, index) for code, value in _compound(text)]
    return words


def _month(tokens: Sequence[Token], index: int) -> Word:
    text, raw = tokens[index]
    number = Word("M", str(MONTHS[text]), index)
    if text not in _WEAK_MONTHS:
        return number
    before = tokens[index - 1].text if index else ""
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    led = before in _BEFORE_MONTH or _DAY.fullmatch(before) is not None
    last = tokens[index + 2].text if index + 2 < len(tokens) and _DAY.fullmatch(after) else after
    if re.fullmatch(rf"'\d\d|{_YEAR}", last):
        # "how may 2023 turn out" is not about May.
        return number if led or text != "may" or raw[0].isupper() else Word("!", text, index)
    if raw[0].isupper() and (led or _DAY.fullmatch(after)):
        return number
    return Word(".", text, index)


@lru_cache(maxsize=4096)
def _compound(text: str) -> tuple[tuple[str, str], ...]:
    words = tuple(_date(text) or _simple(text))
    if not words and ("-" in text or "/" in text):
        words = tuple(_parts(text))
    if all(code in "N-" for code, _ in words):
        words = () if len(words) > 1 else words  # 24/7, 3/4/24
    return words or (("!" if _LOOKS_LIKE_A_PERIOD.match(text) else ".", text),)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """`third-quarter`, `Q1-Q3`, `Q3/2024`: all of it is understood, or nothing is said."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"([-/])", text):
        if part in ("-", "/"):
            found.append(("-", ""))
            continue
        words = [_WORDS[part]] if part in _WORDS else list(_simple(part))
        if not words:
            return
        found.extend(words)
    yield from found


def _simple(text: str) -> Iterator[tuple[str, str]]:
    """The words of a part without a dash, none if it is not understood."""
    if text in MONTHS:
        yield "M", str(MONTHS[text])
    elif day := _DAY.fullmatch(text):
        # As it is written: "FY 09" needs its zero.
        yield ("N" if day[2] is None else "O" if int(day[1]) in range(1, 5) else "d"), day[1]
    elif decade := _DECADE.fullmatch(text):
        yield "Z", f"{decade['century']}0s" if decade["century"] else f"19{decade['nineties']}0s"
    elif match := _SUB_FIRST.fullmatch(text) or _FUSED.fullmatch(text):
        yield from _fused(match.groupdict())
    elif (match := _MONTH_YEAR.fullmatch(text)) and match["year"]:
        if match["day"]:
            yield "N", str(int(match["day"]))
        yield "M", str(MONTHS[match["month"]])
        yield "y", full_year(match["year"])


def _fused(found: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    if found.get("fye"):
        yield from (("F", "FY"), ("r", "year"), ("E", "end"))
        if fye_year := found.get("fye_year"):
            yield "y", full_year(fye_year)
        return
    basis, year, sub = found["basis"], found["year"], found["sub"]
    if sub:
        yield ("Q" if "q" in sub else "K" if "m" in sub else "H" if sub[0] == "h" or year else "J"), sub.strip("qhm")
    if basis:
        yield ("F" if basis == "fy" else "C"), basis.upper()
    if year:
        yield ("Y" if len(year) == 4 else "y"), full_year(year)


def _date(text: str) -> Sequence[tuple[str, str]]:
    """A date, a month or a year of two halves in digits alone. `!` where the order is anyone's guess."""
    if match := _YEAR_FIRST.fullmatch(text):
        return [_valid(match[1], match[3], match[4])]
    if match := _YEAR_LAST.fullmatch(text):
        first, sign, second, year = match.groups()
        if sign == ".":
            return [_valid(year, second, first)]
        if first == second or int(second) > 12:
            return [_valid(year, first, second)]
        return [_valid(year, second, first) if int(first) > 12 else ("!", text)]
    if match := _MONTH_OF_YEAR.fullmatch(text):
        return [("M", match[1]), ("Y", match[2])] if 1 <= int(match[1]) <= 12 else [("!", text)]
    if match := _SPLIT_YEAR.fullmatch(text):
        return _split_year(match)
    return []


def _valid(year: str, month: str, day: str) -> tuple[str, str]:
    try:
        return "I", date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return "!", f"{year}-{month}-{day}"


def _split_year(match: re.Match[str]) -> list[tuple[str, str]]:
    """2023/24 is one year of two halves, 2023-11 a month, 2019-23 a range; 2011/12 may be two of them."""
    basis, year, sign, second = match["basis"], match["year"], match["sign"], match["second"]
    follows = int(second) == (int(year) + 1) % 100
    is_month = 1 <= int(second) <= 12
    prefix = [("F" if basis == "fy" else "C", basis.upper())] if basis else []
    if follows and not is_month:
        return [*prefix, ("Y", year + sign + second)]
    if is_month and not follows and not basis:
        return [("M", str(int(second))), ("Y", year)]
    if sign == "-" and int(second) > int(year) % 100 and not is_month:
        return [*prefix, ("Y", year), ("-", ""), *prefix, ("Y", year[:2] + second)]
    return [("!", match.group())]
