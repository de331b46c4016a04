"""A question as items: what each word or group of words is, before anything is decided about the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from api.cache.slots.text.tokens import tokenize
from api.cache.slots.types import Span, Token
from api.cache.slots.values.periods import find_periods
from api.cache.slots.values.quantities import find_quantities
from api.cache.slots.words.items import AFTER_A_NAME, NAME, UNKNOWN, Item, is_possessive
from api.cache.slots.words.letters import is_letter_for_a_company, who_is_a_name, without_doubtful_tickers
from api.cache.slots.words.lexicon import Lexicon, Match, Word, Written, read_words
from api.cache.slots.words.names import with_longer_names, with_names, with_names_in_small_letters
from api.cache.slots.words.written import with_apostrophes, without_owned_names, without_repeated_names

__all__ = ["NAME", "UNKNOWN", "Item", "Reading", "is_possessive", "read"]

# Whose spelling shows whether the question uses capitals as English does.
_ORDINARY = frozenset({"question", "article", "auxiliary", "modal", "preposition", "connective", "carrier", "metrics"})
_STOCK = frozenset({"stock", "share", "shares"})


class Reading(NamedTuple):
    words: list[Word]
    items: list[Item]
    """Every word is in exactly one, in order."""
    problems: list[str]
    relative: bool
    """A period depends on the day it is asked."""


class Capitals(Enum):
    """How a question uses capital letters."""

    SENTENCE = "for names"
    TITLE = "for Every Word"
    SHOUTING = "ALL OF IT"
    NONE = "not at all"


def read(question: str, lexicon: Lexicon) -> Reading:
    tokens = tokenize(question)
    words = with_apostrophes(read_words(tokens), lexicon)
    every_match = without_owned_names(list(lexicon.matches(words)), words, lexicon)
    capitals = _capitals(words, every_match)
    sure = without_doubtful_tickers(every_match, words, lexicon)
    if who_is_a_name(words):
        sure = [match for match in sure if match.start > 0]
    matches, problems = _well_written(sure, words, capitals)
    spans, relative = _numbers(tokens, words, matches, problems)
    chosen = _longest(matches, spans, words)
    owned = {index for item in chosen for index in range(item.start, item.end)}
    unknown = [Item(index, index + 1, UNKNOWN, word.text) for index, word in enumerate(words) if index not in owned]
    items = sorted([*chosen, *unknown])
    if capitals is Capitals.SENTENCE:
        items = with_names(items, words)
    elif capitals is not Capitals.TITLE and not any(item.slot == "entities" for item in items):
        items = with_names_in_small_letters(items, words)
    items = with_longer_names(without_repeated_names(items), words, lexicon)
    return Reading(words, items, problems, relative)


def _capitals(words: Sequence[Word], matches: Iterable[Match]) -> Capitals:
    letters = "".join(word.raw for word in words)
    if not any(map(str.islower, letters)):
        return Capitals.SHOUTING
    if not any(map(str.isupper, letters)):
        return Capitals.NONE
    ordinary = {
        index
        for match in matches
        if match.phrase.slot in _ORDINARY
        for index in range(max(match.start, 1), match.end)
        if not words[index].raw.isupper() and words[index].raw.isalpha()
    }
    capital = sum(words[index].raw[:1].isupper() for index in ordinary)
    return Capitals.TITLE if ordinary and capital * 2 > len(ordinary) else Capitals.SENTENCE


def _well_written(matches: Sequence[Match], words: Sequence[Word], capitals: Capitals) -> tuple[list[Match], list[str]]:
    """Those that may be what they seem, and the problems: what could be a name or not, as far as one can see."""
    good: list[Match] = []
    doubtful: list[Match] = []
    heads = {match.start for match in matches if match.phrase.slot in AFTER_A_NAME}
    joined = {match.start for match in matches if match.phrase.slot == "connective"}
    companies = {match.phrase.value for match in matches if match.phrase.slot == "entities"}
    for match in matches:
        is_letter = match.phrase.written is Written.IN_CAPITALS and len(words[match.start].text) == 1
        if is_letter and not is_letter_for_a_company(match, words, matches):
            continue
        if capitals is Capitals.SENTENCE and _is_abbreviation(match, words):
            continue
        has_digit = match.end < len(words) and any(map(str.isdigit, words[match.end].text))
        at_head = match.start > 0 or has_digit or match.end in joined or (len(companies) == 1 and match.end in heads)
        judged = _is_well_written(match, words, capitals, may_begin=at_head)
        if judged is not False:
            (good if judged else doubtful).append(match)
    known = {index for match in good if len(match.phrase.words) > 1 for index in range(match.start, match.end)}
    problems = [
        f"{' '.join(match.phrase.words)!r} could be a name or a word"
        for match in doubtful
        if not known.issuperset(range(match.start, match.end))
    ]
    return good, problems


def _is_well_written(match: Match, words: Sequence[Word], capitals: Capitals, *, may_begin: bool) -> bool | None:
    """None: it cannot be told."""
    written = match.phrase.written
    here = words[match.start : match.end]
    if written is Written.ANYHOW:
        return True
    if written is Written.WITH_S:
        return is_possessive(here[-1])
    if written is Written.IN_CAPITALS:
        if not all(word.raw.rstrip("'s").isupper() for word in here):
            return False
        if capitals is Capitals.SHOUTING:
            return None
        return True
    if is_possessive(here[-1]) or _is_acronym(here[0].raw, capitals):
        return True
    if not all(word.raw[:1].isupper() for word in here):
        return False
    return True if capitals is Capitals.SENTENCE and (may_begin or _follows(words, match.end, _STOCK)) else None


def _is_abbreviation(match: Match, words: Sequence[Word]) -> bool:
    """ "LED", unlike "led"."""
    raw = words[match.start].raw
    is_verb = match.phrase.lemma is not None and match.phrase.slot != "metrics"
    return is_verb and match.end == match.start + 1 and len(raw) > 1 and raw.isupper()


def _is_acronym(raw: str, capitals: Capitals) -> bool:
    return capitals is not Capitals.SHOUTING and len(raw) > 1 and raw.isupper()


def _follows(words: Sequence[Word], index: int, expected: Iterable[str]) -> bool:
    return index < len(words) and words[index].text in expected


def _numbers(
    tokens: Sequence[Token], words: Sequence[Word], matches: Sequence[Match], problems: list[str]
) -> tuple[list[Item], bool]:
    taken = {
        words[index].token
        for match in matches
        if match.phrase.slot in ("entities", "metrics", "documents")
        for index in range(match.start, match.end)
        if any(char.isdigit() for word in match.phrase.words for char in word)
    }
    periods = find_periods(tokens, taken)
    taken.update(index for span in periods.spans for index in range(span.start, span.end))
    quantities = find_quantities(tokens, taken)
    problems.extend((*periods.problems, *quantities.problems))
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for index, word in enumerate(words):
        starts.setdefault(word.token, index)
        ends[word.token] = index + 1
    spans: list[Span] = [*periods.spans, *quantities.spans]
    return [Item(starts[span.start], ends[span.end - 1], span.slot, span.value) for span in spans], periods.relative


def _longest(matches: Sequence[Match], spans: Sequence[Item], words: Sequence[Word]) -> list[Item]:
    """Without overlaps: the longer first; of two as long a name in capitals (BP is no unit), a period or number, a
    name, a term.
    """
    candidates = [(-(item.end - item.start), 0, item) for item in spans]
    for start, end, phrase in matches:
        rank = 2
        if phrase.slot == "entities":
            rank = -1 if words[start].raw[:2].isupper() else 1
        candidates.append((start - end, rank, Item(start, end, phrase.slot, phrase.value)))
    candidates.sort()
    owned: set[int] = set()
    chosen = []
    for _, _, item in candidates:
        span = range(item.start, item.end)
        if owned.isdisjoint(span):
            owned.update(span)
            chosen.append(item)
    return chosen
