"""What somebody did, as a figure: how many cars it delivered are its car deliveries, how much it lost is its loss.

Only whole sentences of a few forms are read so, "how many … did it …", "how many … were …ed by it" and "the number of
… it …ed", and only where the noun is a metric of the lexicon. Any other stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.cache.slots.rewording.rewording import INVESTORS
from api.cache.slots.words.items import NAME, Item, is_possessive
from api.cache.slots.words.lexicon import Lexicon, Word
from api.cache.slots.words.word_forms import singular

_FRONT = frozenset({"periods", "preposition", "basis", "article"})
_THINGS = frozenset({"unknown", "synonyms", "metrics", "basis", "soft"})
_VERBS = frozenset({"synonyms", "directions", "carrier", "metrics"})
_DID = frozenset({"do", "did"})
_WAS = frozenset({"is", "was"})
# "How much did it lose in 2022", unlike "how much did it sell the mill for".
_BEFORE_MORE = frozenset({"in", "to", "on", "at", "from", "during", "as-of", "within"})
_PARTS = frozenset({"business", "arm"})
# A small business is somebody else's.
_KINDS_OF_BUSINESS = frozenset({"small", "new", "big", "family", "own", "repeat"})
_MONEY = "money"
_UNIT = "unit"


class _Asked(NamedTuple):
    """ "How many {things} {auxiliary} {owner} {verb} {rest}"."""

    how: str
    things: list[Item]
    auxiliary: list[Item]
    owner: list[Item]
    verb: Item
    rest: list[Item]


def with_deeds(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    """With such a sentence read as the name of its figure; else the items as they are."""
    reader = _Reader(words, lexicon)
    asked = reader.read(items)
    figure = reader.figure(asked) if asked is not None else None
    return list(items) if figure is None else figure


class _Reader:
    def __init__(self, words: Sequence[Word], lexicon: Lexicon) -> None:
        self._words = words
        self._lexicon = lexicon

    def read(self, items: Sequence[Item]) -> _Asked | None:
        at = next((index for index, item in enumerate(items) if self._asks(item)), None)
        if at is None or any(item.slot not in _FRONT for item in items[:at]):
            return None
        question, after = items[at], list(items[at + 1 :])
        if any(item.slot in ("question", "negations", "modal", "connective") for item in after):
            return None
        things: list[Item] = []
        if question.slot == "metrics":
            # "How many employees" is one name.
            things.append(Item(question.start + 2, question.end, "unknown", "employee"))
        elif after and (after[0].slot, after[0].value) == ("preposition", "in"):
            after.pop(0)
        while after and self._may_be_a_thing(after):
            things.append(after.pop(0))
        how = "how-many" if question.slot == "metrics" else question.value
        return self._sentence(how, things, [*after, *items[:at]])

    def _asks(self, item: Item) -> bool:
        if item.slot == "metrics":
            return self._texts(item)[:2] == ("how", "many")
        return item.slot == "question" and item.value in ("how-many", "how-much")

    def _may_be_a_thing(self, after: Sequence[Item]) -> bool:
        item = after[0]
        if item.slot == "entities":
            return item.value.startswith(NAME) and len(after) > 1 and after[1].slot not in _VERBS
        return item.slot in _THINGS and not (len(after) > 1 and _is(after[1], "preposition", "by"))

    def _sentence(self, how: str, things: list[Item], after: list[Item]) -> _Asked | None:
        auxiliary = [after.pop(0)] if after and after[0].slot == "auxiliary" else []
        is_active = not auxiliary or auxiliary[0].value in _DID
        if after and not auxiliary and _is(after[0], "pronoun", "that"):
            after.pop(0)
        if is_active:
            owner, rest = self._owner(after)
            if owner and rest and self._is_deed(how, rest[0], owner, things):
                return _Asked(how, things, auxiliary, owner, rest[0], rest[1:])
        if auxiliary and auxiliary[0].value not in _WAS:
            return None
        if len(after) > 2 and _is(after[1], "preposition", "by") and self._is_deed(how, after[0]):
            owner, rest = self._owner(after[2:])
            return _Asked(how, things, auxiliary, owner, after[0], rest) if owner else None
        return None

    def _owner(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """The names at the beginning, a company and perhaps a part of it, which may have a plain name; and the rest."""
        length = next((index for index, item in enumerate(items) if item.slot != "entities"), len(items))
        if not 1 <= length <= 2:
            return [], []
        if length == 1 and is_possessive(self._words[items[0].end - 1]):
            for end in range(2, min(len(items), 5)):
                if is_part(items[end]) and all(item.slot in ("unknown", "synonyms") for item in items[1:end]):
                    return list(items[:end]), list(items[end + 1 :])
        return list(items[:length]), list(items[length:])

    def _is_deed(self, how: str, item: Item, owner: Sequence[Item] = (), things: Sequence[Item] = ()) -> bool:
        if item.slot not in _VERBS or is_possessive(self._words[item.start]):
            return False
        if item.slot == "carrier" and len(owner) > 1 and [thing.slot for thing in things] == ["metrics"]:
            # "How much revenue did IBM's software segment make"
            return True
        return any(self._lexicon.noun_for(kind, self._texts(item)) for kind in (how, "alone"))

    def figure(self, asked: _Asked) -> list[Item] | None:
        """The items that name the figure, or None where the lexicon has no such figure."""
        things = [thing for thing in asked.things if thing.value not in (_MONEY, _UNIT)]
        if [thing.slot for thing in things] == ["metrics"] and asked.verb.slot == "carrier" and len(asked.owner) > 1:
            first, *parts = asked.owner
            return [first, *asked.auxiliary, *parts, things[0], asked.verb, *asked.rest]
        if things:
            (metric, others), rest = self._figure(asked.how, things, asked.verb), asked.rest
        elif _is_all_that_is_said(asked.rest) and not self._sells_something_else(asked):
            others = []
            metric, rest = self._money(asked)
        else:
            return None
        if metric is None or any(thing.slot == "metrics" for thing in others):
            return None
        named = Item(asked.verb.start, asked.verb.end, "metrics", metric)
        first, *parts = asked.owner
        return [first, *self._auxiliary(asked), *parts, *map(self._one, others), named, *rest]

    def _sells_something_else(self, asked: _Asked) -> bool:
        """An investor its shares, and a country's plants to the world."""
        if self._lexicon.noun_for("alone", self._texts(asked.verb)) != ("sales",):
            return False
        is_from = bool(asked.rest) and _is(asked.rest[0], "preposition", "from")
        return is_from or asked.owner[0].value.startswith(INVESTORS)

    def _auxiliary(self, asked: _Asked) -> list[Item]:
        """ "The number of stores it opened" tells of the past without "did"."""
        texts = self._texts(asked.verb)
        if asked.auxiliary or self._lexicon.is_base(texts) or texts[0].endswith("s"):
            return asked.auxiliary
        return [asked.verb._replace(slot="auxiliary", value="did")]

    def _money(self, asked: _Asked) -> tuple[str | None, list[Item]]:
        """The metric of "how much did it lose" and "how much did it pay in taxes", and the rest."""
        later = self._things_after(asked.rest)
        metric, others = self._figure(asked.how, later, asked.verb)
        if later and metric is not None and not others:
            return metric, asked.rest[asked.rest.index(later[-1]) + 1 :]
        return self._figure("alone" if asked.how == "how-much" else asked.how, [], asked.verb)[0], asked.rest

    def _figure(self, how: str, things: Sequence[Item], verb: Item) -> tuple[str | None, Sequence[Item]]:
        """The metric with the longest name, and the things that are no part of the name."""
        noun = self._lexicon.noun_for(how, self._texts(verb))
        if noun is None:
            return None, things
        for start in range(len(things) + 1):
            described = [base for thing in things[start:] for base in self._bases(thing)]
            metric = self._lexicon.metric((*described, *noun))
            if metric is not None:
                return metric, things[:start]
        return None, things

    def _things_after(self, rest: Sequence[Item]) -> list[Item]:
        """ "Pension plans" in "contribute to its pension plans", "income taxes" in "pay in income taxes"."""
        if not rest or rest[0].slot != "preposition" or rest[0].value not in ("in", "to"):
            return []
        start = 2 if len(rest) > 1 and (rest[1].slot == "article" or _is(rest[1], "pronoun", "its")) else 1
        end = start
        while end < len(rest) and rest[end].slot in _THINGS:
            end += 1
        return list(rest[start:end])

    def _one(self, thing: Item) -> Item:
        """ "Cybertrucks" are what Cybertruck deliveries are of."""
        if thing.slot != "entities":
            return thing
        words = self._texts(thing)
        known = self._lexicon.entity((*words[:-1], singular(words[-1])))
        return thing._replace(value=known or singular(thing.value))

    def _texts(self, item: Item) -> tuple[str, ...]:
        return tuple(word.text for word in self._words[item.start : item.end])

    def _bases(self, item: Item) -> tuple[str, ...]:
        return tuple(word.base for word in self._words[item.start : item.end])


def without_parts(items: Sequence[Item]) -> list[Item]:
    """ "IBM's software segment revenue" is its software revenue; a region and a segment of that name are two things."""
    return [item for index, item in enumerate(items) if not (is_part(item) and _describes(items, index))]


def is_part(item: Item) -> bool:
    return (item.slot, item.value) == ("synonyms", "segment") or (item.slot == "unknown" and item.value in _PARTS)


def _describes(items: Sequence[Item], index: int) -> bool:
    after = items[index + 1] if index + 1 < len(items) else None
    if after is None or after.slot != "metrics":
        return False
    start = index
    while start and items[start - 1].slot == "unknown":
        start -= 1
    is_kind = items[index - 1].value in _KINDS_OF_BUSINESS
    return 0 < start < index and not is_kind and items[start - 1].slot == "entities"


def _is(item: Item, slot: str, value: str) -> bool:
    return (item.slot, item.value) == (slot, value)


def _is_all_that_is_said(rest: Sequence[Item]) -> bool:
    """Whether the verb has no object: how much it sold, unlike how much it sold the mill for."""
    after = rest[0] if rest else None
    return (
        after is None
        or after.slot in ("periods", "basis")
        or (after.slot == "preposition" and after.value in _BEFORE_MORE)
    )
