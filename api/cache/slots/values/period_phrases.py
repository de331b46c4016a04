"""How periods are put together: a point of one, a range, a comparison, since when, one year for several quarters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.cache.slots.values.period_words import Word


class Phrase(NamedTuple):
    """Words `start` to `end` (exclusive) name one period."""

    start: int
    end: int
    kind: str
    value: str
    relative: bool = False


class _Item(NamedTuple):
    """A phrase (`P`, `b` without its year), or a word with its own code."""

    code: str
    phrase: Phrase


_POINT = re.compile(r"(?P<which>[ESe])-?o?t?(?P<of>[Pb])")
_AS_OF = re.compile(r"ao?t?(?P<of>[Pb])")
_RANGE = re.compile(r"(?:f|(?P<between>j))?t?(?P<one>[Pb])(?:(?P<to>[T-])|(?P<and>A))t?(?P<other>[Pb])")
_VERSUS = re.compile(r"(?P<one>[Pb])Vt?(?P<other>[Pb])")
_SINCE = re.compile(r"(?P<which>[sT])-?t?(?P<of>[Pb])")
_SHARED_YEAR = re.compile(r"b[TAVv-]?t?P")


def combined(words: Sequence[Word], phrases: Sequence[Phrase]) -> list[Phrase]:
    """The phrases of the question after all that belongs together is one."""
    if len(phrases) < 2 and not any(
        word.code in "ESeasT" for phrase in phrases for word in words[max(0, phrase.start - 4) : phrase.start]
    ):
        return list(phrases)
    items = _items(words, phrases)
    if len(phrases) > 1:
        items = _with_shared_years(items)
    for pattern, value in ((_POINT, _point), (_AS_OF, _as_of), (_RANGE, _range), (_VERSUS, _versus), (_SINCE, _since)):
        items = _replaced(items, pattern, value)
    return [item.phrase for item in items if item.code in "Pb"]


def _items(words: Sequence[Word], phrases: Sequence[Phrase]) -> list[_Item]:
    items: list[_Item] = []
    position = 0
    for phrase in phrases:
        items.extend(_word_item(words, index) for index in range(position, phrase.start))
        items.append(_Item("b" if phrase.kind == "bare" else "P", phrase))
        position = phrase.end
    items.extend(_word_item(words, index) for index in range(position, len(words)))
    return [item for item in items if item.code != "+"]


def _word_item(words: Sequence[Word], index: int) -> _Item:
    word = words[index]
    # The second word of "compared to" stays with the first.
    end = index + 2 if index + 1 < len(words) and words[index + 1].code == "+" else index + 1
    code = "." if word.code in "Pb" else word.code
    return _Item(code, Phrase(index, end, "word", word.value))


def _with_shared_years(items: list[_Item]) -> list[_Item]:
    """ "Q1 and Q2 2024": both are quarters of 2024. From right to left, so that it holds for three."""
    shared = list(items)
    for index in range(len(items) - 2, -1, -1):
        if shared[index].code != "b":
            continue
        following = _next_period(shared, index)
        value = None if following is None else _of_the_same_year(shared[index].phrase.value, following.phrase.value)
        if value is not None:
            phrase = shared[index].phrase
            shared[index] = _Item("P", Phrase(phrase.start, phrase.end, "part", value))
    return shared


def _next_period(items: Sequence[_Item], index: int) -> _Item | None:
    codes = "".join(item.code for item in items[index : index + 4])
    match = _SHARED_YEAR.match(codes)
    return items[index + match.end() - 1] if match else None


def _of_the_same_year(bare: str, full: str) -> str | None:
    if match := re.fullmatch(r"([QH])\d-(.+)", full):
        return f"{bare}-{match[2]}" if re.fullmatch(rf"{match[1]}\d", bare) else None
    if (month := re.fullmatch(r"month-(\d\d)", bare)) and (match := re.fullmatch(r"(\d{4})-\d\d", full)):
        return f"{match[1]}-{month[1]}"
    return None


def _replaced(
    items: list[_Item], pattern: re.Pattern[str], value: Callable[[Sequence[_Item], re.Match[str]], str | None]
) -> list[_Item]:
    codes = "".join([item.code for item in items])
    result: list[_Item] = []
    position = 0
    for match in pattern.finditer(codes):
        found = items[match.start() : match.end()]
        new = value(items, match)
        if new is None:
            continue
        result.extend(items[position : match.start()])
        relative = any(item.phrase.relative for item in found if item.code in "Pb")
        phrase = Phrase(found[0].phrase.start, found[-1].phrase.end, "combined", new, relative)
        result.append(_Item("P", phrase))
        position = match.end()
    return [*result, *items[position:]]


def _named(items: Sequence[_Item], match: re.Match[str], group: str) -> str:
    return items[match.start(group)].phrase.value


def _point(items: Sequence[_Item], match: re.Match[str]) -> str:
    which = _named(items, match, "which")
    return f"{'mid' if which == 'middle' else which}-{_named(items, match, 'of')}"


def _as_of(items: Sequence[_Item], match: re.Match[str]) -> str:
    """A quarter is looked back at from its end; of a year or a month that is less sure, so it is a value of its own."""
    period = _named(items, match, "of")
    if re.fullmatch(r"\d{4}-\d\d-\d\d|(?:end|start|mid)-.*|today|yesterday", period):
        return period
    return f"end-{period}" if period[0] in "QH" else f"asof-{period}"


def _range(items: Sequence[_Item], match: re.Match[str]) -> str | None:
    if match["and"] and not match["between"]:
        return None
    return f"{_named(items, match, 'one')}..{_named(items, match, 'other')}"


def _versus(items: Sequence[_Item], match: re.Match[str]) -> str:
    return f"{_named(items, match, 'one')}-vs-{_named(items, match, 'other')}"


def _since(items: Sequence[_Item], match: re.Match[str]) -> str | None:
    which = _named(items, match, "which")
    return f"{which}-{_named(items, match, 'of')}" if which else None
