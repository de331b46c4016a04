"""Words of a question or a sentence in a form that can be compared: stems, quarters, years, numbers and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019&][^\W\d_]+)*")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a about an and any are as at be been but by can could did do does for from give had has have how i if in "
        "into is it its me much many my of on or our please report reported say show so tell than that the their "
        "them there these they this to us was we were what when where which who whose why will with would you your "
        "question context answer "
        # How one asks, and nothing about what.
        "check exactly find got happen hello hey hi i'd i'm know let like look looked looking need quick quickly see "
        "thank thanks up want wonder wondering "
    )
)
_SHORTEST_STEM = 3
_OF_PERIODS = {"fy", "quarter", "fiscal"}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_SPELLED_QUARTER = re.compile(r"\b(" + "|".join(_ORDINALS) + r")[ -](?:fiscal[ -])?quarter\b", re.IGNORECASE)
_QUARTER = re.compile(r"\b[qQ]([1-4])(?=\b|[^\W\d_])|\b([1-4])[qQ](?=\b|\d\d)")
# What surrounds a period and is no part of what is asked of it.
_AROUND_A_PERIOD = re.compile(
    r"\b(?:at|by|as of) (?:the )?end of\b"
    r"|\b(?:(?:full|whole|entire)[ -](?:(?:fiscal|financial)[ -])?|(?:fiscal|financial)[ -])years?\b",
    re.IGNORECASE,
)
# "revenue of $5 million in Q3, up 4% from Q2" is about Q3.
_COMPARED = re.compile(
    r"\b(?:from|versus|vs|against|than|compared (?:with|to))\b(?:[^,;.?!\n]|[.,](?=\d)){0,60}", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:FY|CY|fy)?[ ']?((?:19|20)\d\d)\b")
_SHORT_YEAR = re.compile(r"(?:\bFY ?'?|'|(?<=\b[1-4]Q))(\d\d)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# Past tenses that no rule about endings finds.
_PRESENT = {
    "came": "come", "drew": "draw", "fell": "fall", "gave": "give", "grew": "grow", "growth": "grow", "held": "hold",
    "kept": "keep", "lost": "lose", "made": "make", "paid": "pay", "rose": "rise", "sold": "sell", "spent": "spend",
    "took": "take", "went": "go",
}  # fmt: skip
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b([A-Z][A-Za-z&]+)")
# Any sentence begins with a capital; a name of two words shows by its second one.
_FIRST_NAME = re.compile(r"\s*([A-Z][A-Za-z&]+)(?=\s+[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Terms:
    """`names` are capitalised words inside a sentence, as stems; they are in `words` too.

    `main_quarters` and `main_years` are less those that something is compared with. `subject` has the words before the
    first number, which say what the number is.
    """

    words: frozenset[str]
    quarters: frozenset[str]
    years: frozenset[str]
    main_quarters: frozenset[str]
    main_years: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    subject: frozenset[str]

    @property
    def periods(self) -> tuple[frozenset[str], frozenset[str]]:
        return self.quarters, self.years

    @property
    def main_periods(self) -> tuple[frozenset[str], frozenset[str]]:
        return self.main_quarters, self.main_years


# The same passages come with question after question.
@lru_cache(maxsize=4096)
def terms_of(text: str) -> Terms:
    text = _SPELLED_QUARTER.sub(lambda match: f"Q{_ORDINALS[match.group(1).lower()]}", text)
    quarters, years = _quarters(text), _years(text)
    main = _COMPARED.sub(" ", text)
    rest = _AROUND_A_PERIOD.sub(" ", _QUARTER.sub(" ", _SHORT_YEAR.sub(" ", _YEAR.sub(" ", text))))
    first_number = _NUMBER.search(rest)
    return Terms(
        words=_words(rest),
        quarters=quarters,
        years=years,
        main_quarters=_quarters(main) or quarters,
        main_years=_years(main) or years,
        numbers=frozenset(number.rstrip(",").replace(",", "") for number in _NUMBER.findall(rest)),
        names=frozenset(stem(name) for name in _NAME.findall(rest) if name.lower() not in _STOP_WORDS) - _OF_PERIODS,
        subject=_words(rest[: first_number.start()]) - _first_name(rest) if first_number else frozenset(),
    )


def _first_name(text: str) -> frozenset[str]:
    found = _FIRST_NAME.match(text)
    return frozenset({stem(found[1])}) if found else frozenset()


def _quarters(text: str) -> frozenset[str]:
    return frozenset(one or other for one, other in _QUARTER.findall(text))


def _years(text: str) -> frozenset[str]:
    return frozenset(_YEAR.findall(text)) | frozenset(f"20{year}" for year in _SHORT_YEAR.findall(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _WORD.findall(text) if word.lower() not in _STOP_WORDS) - _OF_PERIODS


def stem(word: str) -> str:
    """A word without its possessive, plural or common verb ending: rough, but the same on both sides."""
    word = re.sub(r"['\u2019]s?$", "", word.lower())
    word = _PRESENT.get(word, word)
    for endings in ((("ies", "y"), ("sses", "ss"), ("s", "")), (("ing", ""), ("ed", ""))):
        for ending, replacement in endings:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
                word = word[: -len(ending)] + replacement
                break
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def is_stop_word(word: str) -> bool:
    return word.lower() in _STOP_WORDS
