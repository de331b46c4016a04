"""Verbs that ask for what a metric is: who audits a company is its auditor, when it was founded its founding date."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from api.cache.slots.words.items import Item

# (question word, verb or metric) -> metric
_ASKED = {
    ("who", "found"): "founder",
    ("who", "audit"): "auditor",
    ("who", "chair"): "chair",
    ("when", "found"): "founding-date",
    ("when", "ipo"): "ipo-date",
    ("when", "ipo-date"): "ipo-date",
}
_PEOPLE = frozenset({"people", "workers", "persons", "staff", "headcount"})
_BE = frozenset({"is", "was"})


def with_agents(items: Sequence[Item]) -> list[Item]:
    """With such a verb read as its metric. Only where the question word asks for the verb's own subject or time."""
    question = next((item for item in items if item.slot == "question"), None)
    if question is None:
        return list(items)
    if question.value == "how-many":
        return _employed(items)
    for index, item in enumerate(items):
        metric = _ASKED.get((question.value, item.value)) if item.slot in ("synonyms", "metrics") else None
        if metric is not None and (question.value == "when" or _is_subject(items, index, question)):
            plain = Item(item.start, item.end, "metrics", metric)
            others = [other for other in items if not _belongs(other, item)]
            return sorted([*(other for other in others if other is not item), plain])
    return list(items)


def _employed(items: Sequence[Item]) -> list[Item]:
    """ "How many people does IBM employ" asks for its headcount."""
    people = next((item for item in items if item.value in _PEOPLE), None)
    employ = next((item for item in items if (item.slot, item.value) == ("synonyms", "employ")), None)
    if people is None or employ is None:
        return list(items)
    headcount = Item(people.start, people.end, "metrics", "headcount")
    others = [item for item in items if item is not employ and item.start != employ.end]
    by = [item for item in items if item.start == employ.end and (item.slot, item.value) != ("preposition", "by")]
    return [headcount if item is people else item for item in sorted([*others, *by])]


def _is_subject(items: Sequence[Item], index: int, question: Item) -> bool:
    """ "Who audits Ford", "who is Ford audited by", "by whom is Ford audited"; not "whom does Ford audit"."""
    if items[index - 1] is question:
        return True
    has_be = any(item.slot == "auxiliary" and item.value in _BE for item in items)
    # "Who was founded by SpaceX" asks for the founded.
    return has_be and any(
        (item.slot, item.value) == ("preposition", "by") and (after is None or after.slot != "entities")
        for item, after in zip_longest(items, items[1:])
        if item is not None
    )


def _belongs(item: Item, verb: Item) -> bool:
    """What the verb brings along: its auxiliary, and "by"."""
    if item.slot == "auxiliary":
        return item.start < verb.start
    return (item.slot, item.value) == ("preposition", "by") and item.start in {verb.end, 0}
