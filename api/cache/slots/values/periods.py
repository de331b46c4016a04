"""The periods of a question, in one spelling each.

    2023, FY2023, CY2023, 2023/24     a year; fiscal, calendar and unsaid are three things, never taken for equal
    Q3-2024, Q3-FY2024, H1-2023, 9M-2023, 2024-03, 2024-03-05, 1990s
    end-2023, start-FY2024, mid-2023  a point in it; `end-Q1-2024` is also "as of Q1 2024"
    9M-to-2023-09-30                  nine months ended September 30, 2023
    2022..2023, 2023-vs-2022          a range and a comparison, in the order of mention
    since-2020, before-Q3-2024
    Q3, Q3-FY, month-03, 03-05        without a year: which one is meant depends on the day, as with
    last-year, next-3-months, TTM     what is relative to today

What looks like a period and is not understood is a problem, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from api.cache.slots.types import Span, Token
from api.cache.slots.values.period_phrases import Phrase, combined
from api.cache.slots.values.period_words import Word, period_words

_BASIS = "(?:[FC]|g(?=-?r))"
_YEAR = rf"(?:{_BASIS}-?r?-?o?-?[Yy]|{_BASIS}-?r?-?N|[Yy]-?{_BASIS}-?r|(?<!u)(?<!u-)r[Yy]|[Yy])"
_PART = rf"(?:Q|O-?(?:{_BASIS}-?)?[qh]|q-?[Nn](?!-?[mrwD])|H)"
_ANY_PART = rf"(?:{_PART}|J|K|(?:On|n|ON|N)-?m(?=o))"
_BARE_ORDINAL = r"O(?=-?[ATv]t?O-?(?P<ordinal_of>[qh]))"
_DAY = "(?:N|d|O)"
_MONTH_DAY = rf"(?:M-?{_DAY}|{_DAY}-?o?-?M)"

_PHRASE = re.compile(
    rf"""
    (?=[YyNdOnFCgQqHJKMWrmwDIERLZh!])(?:
      (?P<ended>    (?:[nN]-?m|q|(?:{_BASIS}-?)?r|h)-?x(?:t)?(?:I|{_MONTH_DAY}-?o?[Yy]|M-?o?[Yy]) )
    | (?P<year_end> (?:{_BASIS}-?)?r-?E-?o?t?-?{_BASIS}?[Yy] | {_YEAR}-?r-?E )
    | (?P<date>     I | {_MONTH_DAY}-?o?[Yy] | Y-?M-?{_DAY} )
    | (?P<choice>   (?:Q|q-?[Nn]|H|J)-?[vAT-](?:Q(?!-?o?t?{_YEAR}))?N(?!-?[mrwDM]) )
    | (?P<part>     (?:{_BASIS}-?)?{_ANY_PART}-?[oi]?t?-?{_YEAR}(?![qh]) )
    | (?P<of_last>  {_PART}[oi]?t?L[+]?-?(?:{_BASIS}-?)?r | L[+]?-?(?:{_BASIS}-?)?r-?{_PART} )
    | (?P<last>     L[+]?-?(?:[nN]-?)?(?:{_BASIS}-?)?[rqmwDhMW] )
    | (?P<to_date>  [rqmw]-?T-?z )
    | (?P<ago>      (?:[nN]-?)?[rqmwD]-?G )
    | (?P<part_of>  {_YEAR}-?(?:{_BASIS}-?)?{_PART}(?!-?o?t?{_BASIS}?r?[Yy]) )
    | (?P<month>    M-?o?t?-?[Yy] | Y-?M )
    | (?P<day>      {_MONTH_DAY} )
    | (?P<bare>     (?:{_BASIS}-?)?{_PART} | {_BARE_ORDINAL} | M )
    | (?P<decade>   Z )
    | (?P<year>     {_YEAR} )
    | (?P<ends>     E-?o?t?r(?![Yy]) | r-?E )
    | (?P<word>     R | W )
    | (?P<odd>      !  | q-?[Nn](?!-?[mrwD]) )
    )""",
    re.VERBOSE,
)
_RELATIVE = frozenset({"of_last", "last", "to_date", "ago", "day", "bare", "ends", "word"})
_SIGNS_OF_NOW = frozenset({"last", "latest", "next"})

# A number of these, and no year: "how many have 2000 employees" must not meet "in 2000".
_NOT_AFTER_A_YEAR = frozenset(
    """% percent percentage bps basis pct million mn mln m billion bn thousand k trillion tn crore lakh dollars dollar
    usd eur euros euro gbp pounds yen jpy cny yuan inr rupees hours hour minutes seconds years months weeks days miles
    km meters metres kg tons tonnes barrels gallons employees people workers persons points times units words tokens
    calories items rows lines vehicles cars""".split()  # noqa: SIM905 -- a list of 60 words reads best as text
)
_NOT_BEFORE_A_YEAR = frozenset({"least", "most", "exactly", "top", "bottom", "$", "#", "no.", "number"})


class PeriodFindings(NamedTuple):
    spans: tuple[Span, ...]
    """Slot `periods`, in the order of mention; none overlaps another."""
    problems: tuple[str, ...]
    """One sentence for each thing that looks like a period and is not understood; its tokens are in no span."""
    relative: bool
    """The answer depends on the day it is asked: "last year", "Q3" without a year, "latest"."""


NOTHING = PeriodFindings((), (), relative=False)


def find_periods(tokens: Sequence[Token], taken: Collection[int] = ()) -> PeriodFindings:
    """`taken`: indexes of tokens that are part of a name, such as the number of Russell 2000."""
    words = period_words(tokens, frozenset(taken))
    codes = "".join([word.code for word in words])
    if not codes.strip(".otaiATuvfj-+"):
        return NOTHING
    phrases, problems = _phrases(words, codes, tokens)
    relative = any(word.code == "L" and word.value in _SIGNS_OF_NOW for word in words)
    spans: list[Span] = []
    for phrase in combined(words, phrases):
        relative = relative or phrase.relative
        start, end = words[phrase.start].token, words[phrase.end - 1].token + 1
        if _cuts_a_token(words, phrase):
            problems.append(_not_understood(tokens, start, end))
        else:
            spans.append(Span(start, end, "periods", phrase.value))
    return PeriodFindings(tuple(spans), tuple(problems), relative)


def _phrases(words: Sequence[Word], codes: str, tokens: Sequence[Token]) -> tuple[list[Phrase], list[str]]:
    phrases: list[Phrase] = []
    problems: list[str] = []
    for match in _PHRASE.finditer(codes):
        found = words[match.start() : match.end()]
        kind = match.lastgroup if match.lastgroup != "ordinal_of" else "bare"
        first, last = found[0].token, found[-1].token
        if kind == "year" and len(found) == 1 and not _is_a_year(tokens, first):
            continue
        value = None if _unsure(tokens, found, kind) else _value(str(kind), found, match["ordinal_of"])
        if value is None:
            problems.append(_not_understood(tokens, first, last + 1))
        else:
            phrases.append(Phrase(match.start(), match.end(), str(kind), value, kind in _RELATIVE))
    phrases.extend(_latest(words, codes, phrases))
    return sorted(phrases), problems


def _latest(words: Sequence[Word], codes: str, phrases: Sequence[Phrase]) -> list[Phrase]:
    """A "latest" or "most recent" of something else than a period."""
    taken = {index for phrase in phrases for index in range(phrase.start, phrase.end)}
    return [
        Phrase(index, index + (2 if codes[index + 1 : index + 2] == "+" else 1), "word", "latest", relative=True)
        for index, word in enumerate(words)
        if word.code == "L" and word.value == "latest" and index not in taken
    ]


def _is_a_year(tokens: Sequence[Token], index: int) -> bool:
    """ "more than 2000" counts something, "better than 2022" compares years."""
    earlier, before = ("", "", *(token.text for token in tokens[max(0, index - 2) : index]))[-2:]
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    counts = before in _NOT_BEFORE_A_YEAR or (before == "than" and earlier in ("more", "less", "fewer"))
    return not counts and after not in _NOT_AFTER_A_YEAR


def _not_understood(tokens: Sequence[Token], start: int, end: int) -> str:
    return "period not understood: " + " ".join(token.text for token in tokens[start:end])


def _unsure(tokens: Sequence[Token], found: Sequence[Word], kind: str | None) -> bool:
    """Mar-24 and Mar 24 may be a day or a year; March 24 is a day."""
    if kind != "day" or found[0].code != "M":
        return False
    abbreviated = len(tokens[found[0].token].text) < 5 and found[0].value not in ("5", "6", "7")
    return found[1].code == "-" or (abbreviated and found[1].code == "N" and int(found[1].value) > 9)


def _cuts_a_token(words: Sequence[Word], phrase: Phrase) -> bool:
    """A part of `2023-revenue` is no period of its own."""
    before = phrase.start > 0 and words[phrase.start - 1].token == words[phrase.start].token
    after = phrase.end < len(words) and words[phrase.end].token == words[phrase.end - 1].token
    return before or after


def _value(kind: str, found: Sequence[Word], ordinal_of: str | None) -> str | None:
    """The canonical spelling; None where the words do not make a period."""
    if kind in ("odd", "choice"):
        return None
    if kind in ("last", "to_date", "ago", "ends", "word", "decade"):
        return _relative_value(kind, found)
    if kind in ("date", "day", "month") or (kind == "bare" and found[0].code == "M"):
        return _date_value(found)
    if kind == "ended":
        return _ended_value(found)
    basis = {word.value for word in found if word.code in "FCg"}
    years = [_year_value(word) for word in found if word.code in "Yy" or (word.code == "N" and kind == "year")]
    if kind in ("part", "part_of", "of_last", "bare"):
        return _part_value(kind, found, basis, ordinal_of)
    if len(basis) > 1 or len(years) != 1 or years[0] is None:
        return None
    year = "".join(basis) + years[0]
    return f"end-{year}" if kind == "year_end" else year


def _year_value(word: Word) -> str | None:
    if word.code != "N":
        return word.value
    return ("20" if int(word.value) < 50 else "19") + word.value if len(word.value) == 2 else None


def _part_value(kind: str, found: Sequence[Word], basis: set[str], ordinal_of: str | None) -> str | None:
    """A quarter, half or some months, of a year if one is given."""
    if len(basis) > 1:
        return None
    part = _part_of_year(found, ordinal_of)
    if part is None:
        return None
    relative = [word.value for word in found if word.code == "L"]
    if relative:
        return f"{part}-{relative[0]}-{''.join(basis)}year"
    years = [word.value for word in found if word.code in "Yy"]
    if not years and kind != "bare":
        # The year is two plain digits, at the end or, in "FY 23 Q1", after its basis.
        plain = [word for word in found if word.code == "N"]
        years = [year for word in plain[-1:] if (year := _year_value(word)) is not None]
        if not years:
            return None
    if years:
        return f"{part}-{''.join(basis)}{years[0]}"
    return f"{part}-{''.join(basis)}" if basis else part


def _part_of_year(found: Sequence[Word], ordinal_of: str | None) -> str | None:
    codes = "".join(word.code for word in found)
    if match := re.search(r"[QHJK]", codes):
        unit = {"Q": "Q", "K": "M"}.get(match.group(), "H")
        number = found[match.start()].value
        return f"{number}M" if unit == "M" else f"{unit}{number}"
    if match := re.search(r"O?([nN])-?m", codes):
        start = found[match.start()]
        # "the first nine months", not "the third nine months".
        return f"{int(found[match.start(1)].value)}M" if start.code != "O" or start.value == "1" else None
    if match := re.search(r"O-?[FCg]?-?([qh])|q-?([nN])", codes):
        number_word = found[match.start()] if match[1] else found[match.start(2)]
        return _numbered(match[1] or "q", number_word.value)
    return _numbered(ordinal_of, found[0].value) if ordinal_of else None


def _numbered(unit: str, number: str) -> str | None:
    if unit == "q":
        return f"Q{int(number)}" if 1 <= int(number) <= 4 else None
    return f"H{int(number)}" if 1 <= int(number) <= 2 else None


def _date_value(found: Sequence[Word]) -> str | None:
    if found[0].code == "I":
        return found[0].value
    month = next(int(word.value) for word in found if word.code == "M")
    year = next((word.value for word in found if word.code in "Yy"), None)
    day = next((int(word.value) for word in found if word.code in "NdO"), None)
    if not 1 <= (1 if day is None else day) <= 31 or (year is not None and len(year) > 4):
        return None
    if day is None:
        return f"month-{month:02}" if year is None else f"{year}-{month:02}"
    return f"{month:02}-{day:02}" if year is None else f"{year}-{month:02}-{day:02}"


def _ended_value(found: Sequence[Word]) -> str | None:
    split = next(index for index, word in enumerate(found) if word.code == "x")
    rest = [word for word in found[split + 1 :] if word.code != "t"]
    end = _date_value(rest)
    span = "".join(word.code for word in found[:split])
    if end is None:
        return None
    if span[0] in "nN":
        return f"{int(found[0].value)}M-to-{end}"
    if span == "q":
        return f"3M-to-{end}"
    if span == "h":
        return f"6M-to-{end}"
    return f"{found[0].value if found[0].code in 'FCg' else '12M'}-to-{end}"


def _relative_value(kind: str, found: Sequence[Word]) -> str | None:
    codes = "".join(word.code for word in found)
    if kind == "word":
        return found[0].value
    if kind == "decade":
        return found[0].value
    if kind == "to_date":
        return {"r": "YTD", "q": "QTD", "m": "MTD", "w": "WTD"}[codes[0]]
    if kind == "ends":
        return "end-year"
    if kind == "ago":
        count = int(found[0].value) if codes[0] in "nN" else 1
        unit = next(word for word in found if word.code in "rqmwD")
        return f"{count}-{unit.value}-ago"
    return _last_value(found)


def _last_value(found: Sequence[Word]) -> str | None:
    which = found[0].value
    count = next((str(int(word.value)) for word in found[1:] if word.code in "nN"), None)
    basis = "".join(word.value for word in found if word.code in "FCg")
    unit = found[-1]
    if which in ("last", "trailing") and (count, unit.code) == ("12", "m") and not basis:
        return "TTM"
    if which == "next" and (count, unit.code) == ("12", "m") and not basis:
        return "NTM"
    name = f"month-{int(unit.value):02}" if unit.code == "M" else unit.value
    return "-".join(part for part in (which, count, basis, name) if part)
