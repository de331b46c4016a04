"""Words of a question or a sentence in a form that can be compared: stems, quarters, years, numbers and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a about an and any are as at be been but by can could did do does for from give had has have how i if in "
        "into is it its me much many my of on or our please report reported say show so tell than that the their "
        "them there these they this to us was we were what when where which who whose why will with would you your "
        "question context answer "
    )
)
_SHORTEST_STEM = 3
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_SPELLED_QUARTER = re.compile(r"\b(" + "|".join(_ORDINALS) + r")[ -](?:fiscal[ -])?quarter\b", re.IGNORECASE)
_QUARTER = re.compile(r"\b[qQ]([1-4])(?=\b|[^\W\d_])|\b([1-4])[qQ]\b")
_YEAR = re.compile(r"\b(?:FY|CY|fy)?[ ']?((?:19|20)\d\d)\b")
_SHORT_YEAR = re.compile(r"(?:\bFY ?'?|')(\d\d)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b([A-Z][A-Za-z&]+)")


@dataclass(frozen=True, slots=True)
class Terms:
    """`names` are capitalised words inside a sentence, as stems; they are in `words` too."""

    words: frozenset[str]
    quarters: frozenset[str]
    years: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]

    @property
    def periods(self) -> tuple[frozenset[str], frozenset[str]]:
        return self.quarters, self.years


# The same passages come with question after question.
@lru_cache(maxsize=4096)
def terms_of(text: str) -> Terms:
    text = _SPELLED_QUARTER.sub(lambda match: f"Q{_ORDINALS[match.group(1).lower()]}", text)
    quarters = frozenset(one or other for one, other in _QUARTER.findall(text))
    years = frozenset(_YEAR.findall(text)) | frozenset(f"20{year}" for year in _SHORT_YEAR.findall(text))
    rest = _SHORT_YEAR.sub(" ", _YEAR.sub(" ", _QUARTER.sub(" ", text)))
    numbers = frozenset(number.rstrip(",").replace(",", "") for number in _NUMBER.findall(rest))
    words = frozenset(stem(word) for word in _WORD.findall(rest) if word.lower() not in _STOP_WORDS)
    names = frozenset(stem(name) for name in _NAME.findall(rest) if name.lower() not in _STOP_WORDS)
    return Terms(words=words - {"fy", "quarter"}, quarters=quarters, years=years, numbers=numbers, names=names - {"fy"})


def stem(word: str) -> str:
    """A word without its possessive, plural or common verb ending: rough, but the same on both sides."""
    word = re.sub(r"['\u2019]s?$", "", word.lower())
    for endings in ((("ies", "y"), ("sses", "ss"), ("s", "")), (("ing", ""), ("ed", ""))):
        for ending, replacement in endings:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
                word = word[: -len(ending)] + replacement
                break
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def is_stop_word(word: str) -> bool:
    return word.lower() in _STOP_WORDS
