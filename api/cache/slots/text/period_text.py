"""Ways of writing a period that are rare enough to be respelled as the common one, before the words are read.

Only spellings that can mean nothing else. What stays ambiguous ("the last quarter", "by the end of") is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_YEAR = r"(?:19[5-9]\d|20\d\d)"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DATE = rf"(?:{_MONTH}|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}|{_YEAR}-\d\d|\d\d?/\d)"
_NUMBER = r"(?:three|six|nine|twelve|3|6|9|12)"
_TO = r"(?:to|through|up to|that ended|which ended|ended|ending)"
_FISCAL = r"(?:fiscal|financial)"
_SPANS = {"quarter": "three months", "half": "six months", "year": "twelve months"}

_Replacement = str | Callable[[re.Match[str]], str]


def _dated(match: re.Match[str]) -> str:
    month, day, year = match.groups()
    return f"20{year}-{int(month):02}-{day}"


def _span(match: re.Match[str]) -> str:
    return f"{_SPANS[match[1].lower()]} ended "


def _to_date(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]} to date"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# After these "year ended" is no year of its own: "the first quarter ended March 31".
_SPAN_BEGINS = r"(?:(?<=the )|(?<=for )|(?<=in )|(?<=, )|(?<=\ba )|(?<=during ))"
_RANGE = rf"(?={_YEAR} ?(?:to|-|\u2013|through) ?{_YEAR})"
_SPAN_OF = "(?:over|during|in|for) the (?:period|years)"

# What has happened over five years has not for five years.
_NO_EVENT = r"(?!(?:did|do|does|has|have|had|is|are|was|were|will|who|which|whether|why|when|where)\b)"
_SOME_TIMES = r"(?:\d+|[a-z]+)[ -](?:quarters|years|months|weeks)\b"

_RULES: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
    # The last quarter of a year that is named: of a plain year, its last three months.
    (
        _pattern(
            rf"\b(?:final|closing|last) quarter (?=(?:of|in) (?:the |its )?(?:{_FISCAL} (?:year )?|FY ?){_YEAR}\b)"
        ),
        "fourth quarter ",
    ),
    (
        _pattern(rf"\b(?:final|closing|last) quarter (?:of|in) (?:the year )?({_YEAR})\b"),
        r"three months ended December \1",
    ),
    (_pattern(rf"\bfinal[ -]quarter ({_YEAR})\b"), r"three months ended December \1"),
    (_pattern(r"\bF([1-4])Q'?(\d\d)\b"), r"Q\1 FY\2"),
    (_pattern(rf"\bFQ([1-4])[ -]?'?({_YEAR}|\d\d)\b"), r"Q\1 FY\2"),
    (_pattern(r"\b([QH][1-4])/(\d\d)\b(?!/)"), r"\1 20\2"),
    # "Its fiscal 2024": whose it is, the company's name says.
    (_pattern(rf"\b(of|in|for) (?:its|their) (?={_FISCAL} (?:year )?{_YEAR}|{_YEAR} {_FISCAL} year)"), r"\1 "),
    # The end of a year or of a quarter.
    (_pattern(rf"\b(?:YE|EOY)[ -]?'?({_YEAR})\b"), r"year-end \1"),
    (_pattern(r"\b(?-i:YE|EOY)[ -]?'?(\d\d)\b"), r"year-end 20\1"),
    (_pattern(rf"\b(Q[1-4])[ -]end,? ({_YEAR})\b"), r"end of \1 \2"),
    (_pattern(rf"\b(Q[1-4],? {_YEAR}) (?:quarter[- ])?end\b"), r"end of \1"),
    (_pattern(rf"\b({_YEAR}) (Q[1-4]) (?:quarter[- ])?end\b"), r"end of \2 \1"),
    (_pattern(rf"\bquarter[- ]end (Q[1-4],? {_YEAR})\b"), r"end of \1"),
    # Some months up to a day or month.
    (_pattern(rf"\b({_NUMBER})[ -]months?(?:[ -]period)? {_TO} (?={_DATE})"), r"\1 months ended "),
    (_pattern(rf"{_SPAN_BEGINS}(quarter|year)(?:[ -]period)? {_TO} (?={_DATE})"), _span),
    (_pattern(rf"\b(half)[ -]year(?:[ -]period)? {_TO} (?={_DATE})"), _span),
    (_pattern(rf"\b({_MONTH})[ -]quarter (?:of )?({_YEAR})\b"), r"three months ended \1 \2"),
    (
        _pattern(rf"\b({_MONTH}),? ({_YEAR})[ -]quarter\b(?![ -](?:over|on|by|to)\b)"),
        r"three months ended \1 \2",
    ),
    (_pattern(rf"\bfirst (three|six|nine|3|6|9) months (?={_YEAR}\b)"), r"first \1 months of "),
    (
        _pattern(r"(?<![\d/])(0?[1-9]|1[0-2])/(1[3-9]|2\d|3[01])/(\d\d)\b(?!/)"),
        _dated,
    ),
    (_pattern(rf"\b(?:the )?month of (?={_MONTH},? {_YEAR}\b)"), ""),
    (_pattern(rf"\b{_SPAN_OF} between (?={_YEAR} and {_YEAR})"), "between "),
    (_pattern(rf"\b(?:{_SPAN_OF}(?: from)?|over) {_RANGE}"), "from "),
    # What has passed. "For the last years" may be all the time, "in the last years" once.
    (_pattern(rf"^{_NO_EVENT}(.*?)\bover the (?:last|past) (?={_SOME_TIMES})"), r"\1for the last "),
    (
        _pattern(r"\b(?:during|within) the (?:last|past) (?=(?:\d+|[a-z]+)[ -](?:quarters|years|months|weeks)\b)"),
        "in the last ",
    ),
    (
        _pattern(rf"\bpast (?=(?:\d+|two|four|five|seven|eight|ten|{_NUMBER}) (?:quarters|years|months|weeks|days)\b)"),
        "last ",
    ),
    (_pattern(r"\b(?:so far this (year|quarter|month)|this (year|quarter|month) so far)\b"), _to_date),
    (_pattern(r"\bsince the (?:start|beginning) of (?:the|this) (year|quarter|month)\b"), r"\1 to date"),
)


def respelled(text: str) -> str:
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
