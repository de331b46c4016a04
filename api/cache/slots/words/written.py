"""Spellings that say nothing: an odd apostrophe or none, a ticker in brackets, quotes around the question, "P & G"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from api.cache.slots.words.items import Item, is_possessive
from api.cache.slots.words.lexicon import Lexicon, Match, Word, Written

_ODD_APOSTROPHE = re.compile(r"(?<=\w)[`\u00b4](?=s\b|\s)")
_ALL_QUOTED = re.compile(r"""["\u201c]([^"\u201c\u201d]+)["\u201d]\s*""")
_EXCHANGE = re.compile(
    r"\((?:NASDAQ|Nasdaq|NYSE(?: American| Arca)?|LSE|AMEX|OTC|TSX|ASX|XETRA|Euronext)\s*:\s*([A-Z]{1,5}(?:\.[A-Z])?)\)"
)
# "P & G", "r & d": one word, written apart.
_AND_SIGN = re.compile(r"\b([A-Z]|AT|SG) & ([A-Z])\b|\b(r|p|s|h|m|d|g|at|sg) & (d|g|p|m|a|l|t)\b")
_PER_CENT = re.compile(r"(?<=\d) ?(?:per ?cent|pct)\b", re.IGNORECASE)
_TERM = re.compile(r"\b(long|short)term\b", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"(?P<name>[A-Z][\w&.-]*(?: [A-Z][\w&.-]*)*(?:'s|')?) ?\((?P<ticker>[A-Z]{2,5})\)")
# Figures that a thing has as well: the price of apples.
_OF_THINGS = frozenset({"price", "costs", "production", "volume", "exports", "imports", "value", "unit-sales"})
_MONEY = frozenset({"flow", "ratio", "balance", "payment", "person", "market"})
# What may stand between an owner and a figure, besides numbers.
_OF_PERIODS = frozenset(
    {"fiscal", "calendar", "first", "second", "third", "fourth", "quarter", "latest", "annual", "total"}
)


def as_usual(text: str) -> str:
    text = _ODD_APOSTROPHE.sub("'", text)
    if quoted := _ALL_QUOTED.fullmatch(text.strip()):
        text = quoted[1]
    if "&" in text:
        text = _AND_SIGN.sub(lambda match: "&".join(filter(None, match.groups())), text)
    text = _TERM.sub(r"\1-term", _PER_CENT.sub("%", text))
    if "(" not in text:
        return text
    return _IN_BRACKETS.sub(_without_own_ticker, _EXCHANGE.sub(r"(\1)", text))


def _without_own_ticker(match: re.Match[str]) -> str:
    """Only a ticker made of the letters of the name before it: TDWR of Tidewater Robotics, not (US), (GAAP)."""
    letters = iter(match["name"].upper())
    ticker = match["ticker"]
    starts = any(word.startswith(ticker[0]) for word in match["name"].upper().split()[:1])
    return match["name"] if starts and all(letter in letters for letter in ticker) else match[0]


def with_apostrophes(words: Sequence[Word], lexicon: Lexicon) -> list[Word]:
    """ "Union pacifics revenue": with the apostrophe that was left out, where a company's name and a figure tell so."""
    found = list(words)
    for index, word in enumerate(words[:-1]):
        stem = word.text.removesuffix("s")
        if len(stem) < 2 or stem == word.text or "'" in word.raw:
            continue
        owned = Word(stem, stem, f"{word.raw[: len(stem)]}'s", word.token)
        changed = [*found[:index], owned, *found[index + 1 :]]
        if _is_owner(changed, index, lexicon) and not _is_name(found, index, lexicon):
            found = changed
    return found


def _is_owner(words: Sequence[Word], index: int, lexicon: Lexicon) -> bool:
    """Whether a company's name ends here, and one of its figures begins after it or after a period."""
    if not _is_name(words, index, lexicon):
        return False
    following = words[index + 1 : index + 6]
    figures = [match for match in lexicon.matches(following) if match.phrase.slot == "metrics"]
    figure = min(figures, key=lambda match: (match.start, -match.end), default=None)
    if figure is None or figure.phrase.value in _OF_THINGS:
        return False
    if lexicon.metric_kinds.get(figure.phrase.value, "flow") not in _MONEY:
        return False
    between = following[: figure.start]
    return all(any(map(str.isdigit, word.text)) or word.text in _OF_PERIODS for word in between)


def _is_name(words: Sequence[Word], index: int, lexicon: Lexicon) -> bool:
    start = max(0, index - 3)
    near = words[start : index + 1]
    return any(match.end == len(near) and _is_company(match, lexicon) for match in lexicon.matches(near))


def _is_company(match: Match, lexicon: Lexicon) -> bool:
    phrase = match.phrase
    if phrase.slot != "entities" or phrase.written is not Written.ANYHOW:
        return False
    return lexicon.entity_kinds.get(phrase.value, "company") == "company"


def without_owned_names(matches: Sequence[Match], words: Sequence[Word], lexicon: Lexicon) -> list[Match]:
    """ "Yum's China revenue" is that of Yum in China, and not Yum China's."""
    names = {(match.start, match.end): match.phrase.value for match in matches if match.phrase.slot == "entities"}

    def is_owned(match: Match) -> bool:
        if not _is_company(match, lexicon):
            return False
        inside = [end for end in range(match.start + 1, match.end) if is_possessive(words[end - 1])]
        own = match.phrase.value
        rests = [names.get((end, match.end), "") for end in inside]
        return any(names.get((match.start, end), own) != own for end in inside) or any(
            lexicon.entity_kinds.get(rest) == "geography" for rest in rests
        )

    return [match for match in matches if not is_owned(match)]


def without_repeated_names(items: Sequence[Item]) -> list[Item]:
    """ "Apple (AAPL)", "Apple Inc. (AAPL)": one name beside itself."""
    found: list[Item] = []
    for item in items:
        before = next((other for other in reversed(found) if other.slot != "legal-form"), None)
        beside = bool(found) and found[-1].end == item.start
        if item.slot == "entities" and beside and before is not None and before[2:] == item[2:]:
            continue
        found.append(item)
    return found
