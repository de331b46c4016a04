"""What is spent on something, and earned from it: "how much did it spend on fuel" asks for its fuel spending, "how
much does it make from ads" for its ad revenue.

Spending on what is used up at once is its cost; that on ships, batteries or shops may be an investment.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.rewording.deeds import is_part
from api.cache.slots.words.items import NAME, Item
from api.cache.slots.words.lexicon import Lexicon, Word

_THINGS = frozenset({"unknown", "synonyms"})
_SKIPPED = frozenset({"article", "pronoun"})
_EARN = frozenset({"earn", "make", "generate", "bring in", "take in", "pull in", "rake in"})
_OF_PERIOD = frozenset({"in", "during", "for", "at", "of"})
_SPENDING = frozenset({"spend", "spending"})
_COSTS = frozenset({"spending", "costs", "expenses"})
_SPENT_ON = _THINGS | {"entities"}
_EARNED_FROM = _THINGS | {"entities", "metrics"}
_SOLD_BY_NUMBER = frozenset(
    {"vehicle", "car", "truck", "auto", "automobile", "ev", "suv", "pickup", "van", "motorcycle", "home", "house"}
)
# What is made from them is a gain, or what is left of the revenue.
_GAINS = frozenset(
    {
        "trading",
        "investment",
        "investing",
        "investor",
        "stock",
        "share",
        "stake",
        "bond",
        "option",
        "derivative",
        "hedge",
    }
    | {"bet", "deal", "sale", "lawsuit", "litigation", "settlement", "grant", "credit", "bitcoin", "crypto"}
    | {"cryptocurrency", "gold", "oil", "gas", "gasoline", "government", "strike", "war", "inflation"}
)
_SHARES = frozenset({"share", "shares", "portion", "proportion", "part", "fraction", "percentage", "much"})
_AMOUNT = frozenset({"how-much", "what"})
_DID = frozenset({"do", "did"})
_WAS = frozenset({"is", "was"})
_OTHER = frozenset({"negations", "modal", "connective", "directions"})
_ON = ("preposition", "on")
_FROM = ("preposition", "from")
_INCOME = ("fees", "income", "revenue", "sales", "premiums", "royalties")
_TIES = (("on",), ("from",))
_REVENUE = ("metrics", "revenue")


def with_spending(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    """With such a sentence read as the name of its figure; else the items as they are."""
    asked = [item for item in items if item.slot == "question"]
    if any(item.slot == "units" or item.value in _SHARES for item in items):
        return list(items)
    if len(asked) > 1 or any(item.slot in _OTHER for item in items) or (asked and asked[0].value not in _AMOUNT):
        return list(items)
    reader = _Reader(words, lexicon)
    if asked:
        items = reader.done(items, items.index(asked[0])) or items
    return reader.with_costs(reader.with_nouns(list(items)))


class _Reader:
    def __init__(self, words: Sequence[Word], lexicon: Lexicon) -> None:
        self._words = words
        self._lexicon = lexicon

    def done(self, items: Sequence[Item], at: int) -> list[Item] | None:
        """ "How much did it spend on fuel", "how much does it make from ads"."""
        after = list(items[at + 1 :])
        is_revenue = bool(after) and (after[0].slot, after[0].value) == _REVENUE
        said = _active(after[1:] if is_revenue else after)
        if said is None:
            return None
        auxiliary, owner, verb, rest = said
        lemma = self._lexicon.lemma(self._texts(verb))
        if lemma not in _EARN and (is_revenue or lemma != "spend"):
            return None
        if lemma in _EARN and items[at].value == "what" and not is_revenue:
            # What is made from aluminum
            return None
        tie, slots, noun = (_ON, _SPENT_ON, "spending") if lemma == "spend" else (_FROM, _EARNED_FROM, "revenue")
        aside, rest = _periods_first(rest)
        if not rest or (rest[0].slot, rest[0].value) != tie:
            return None
        things, rest = self._things(rest[1:], slots)
        if not things or not _is_of_period(rest) or (lemma in _EARN and self._is_name(things[-1]) and not is_revenue):
            # What was made from a company that was owned
            return None
        if lemma in _EARN and not is_revenue and self._may_be_gain(lemma, things):
            return None
        return [*items[:at], owner, auxiliary, *self._figure(things, noun, verb), *rest, *aside]

    def _figure(self, things: list[Item], noun: str, at: Item) -> list[Item]:
        """ "Ad spending" is a metric of its own, "fuel spending" is not."""
        if things[-1].slot == "metrics":
            return things
        for start in range(len(things)):
            described = [word.base for thing in things[start:] for word in self._words[thing.start : thing.end]]
            metric = self._lexicon.metric((*described, noun))
            if metric is not None:
                return [*things[:start], at._replace(slot="metrics", value=metric)]
        return [*things, at._replace(slot="metrics", value=noun)]

    def _texts(self, item: Item) -> tuple[str, ...]:
        return tuple(word.text for word in self._words[item.start : item.end])

    def _things(self, rest: Sequence[Item], slots: frozenset[str]) -> tuple[list[Item], list[Item]]:
        if rest and (rest[0].slot, rest[0].value) == ("article", "article"):
            # "From a car"
            return [], []
        start = 1 if rest and rest[0].slot in _SKIPPED else 0
        end = start
        while end < len(rest) and rest[end].slot in slots and self._may_be_paid_for(rest[end]):
            end += 1
        things = list(rest[start:end])
        return (things[:-1] if len(things) > 1 and is_part(things[-1]) else things), list(rest[end:])

    def _may_be_gain(self, lemma: str, things: Sequence[Item]) -> bool:
        """What is earned from insurance may be its profit."""
        if lemma == "earn" and things[-1].slot != "metrics":
            return True
        return any(word.base in _GAINS for thing in things for word in self._words[thing.start : thing.end])

    def _is_name(self, item: Item) -> bool:
        return item.slot == "entities" and self._words[item.start].raw[:1].isupper()

    def _may_be_paid_for(self, item: Item) -> bool:
        if item.slot == "metrics":
            return item.value.endswith(_INCOME)
        if item.slot != "entities":
            return True
        return item.value.startswith(NAME) or self._lexicon.entity_kinds.get(item.value) == "segment"

    def with_nouns(self, items: list[Item]) -> list[Item]:
        """ "Its fuel spend", "its spending on fuel"."""
        if any(item.slot == "auxiliary" and item.value in ("do", "did", "have", "had") for item in items):
            return items
        for index, item in enumerate(items):
            before = items[index - 1] if index else None
            text = self._words[item.start].text
            is_noun = before is not None and (before.slot in _THINGS or self._is_owner(before))
            if item.slot == "carrier" and text in _SPENDING and is_noun:
                items[index] = item._replace(slot="metrics", value="spending")
                return self._with_object_first(items, index)
            if (item.slot, item.value) == ("metrics", "spending"):
                return self._with_object_first(items, index)
            if (item.slot, item.value) == _REVENUE and before is not None and self._is_owner(before):
                return self._with_object_first(items, index)
        return items

    def _is_owner(self, item: Item) -> bool:
        return item.slot == "entities" and self._words[item.end - 1].raw.endswith(("'s", "'"))

    def _with_object_first(self, items: list[Item], at: int) -> list[Item]:
        tie, noun = (_FROM, "revenue") if items[at].value == "revenue" else (_ON, "spending")
        if (
            len(items) < at + 2
            or (items[at + 1].slot, items[at + 1].value) != tie
            or self._texts(items[at + 1]) not in _TIES
        ):
            return items
        things, rest = self._things(items[at + 2 :], _SPENT_ON)
        if not things or not _is_of_period(rest):
            return items
        return [*items[:at], *self._figure(things, noun, items[at]), *rest]

    def with_costs(self, items: list[Item]) -> list[Item]:
        """ "Its fuel spending" is its fuel costs, as is its fuel expense."""
        for index, item in enumerate(items):
            if item.slot != "metrics" or item.value not in _COSTS or not index:
                continue
            before = self._words[items[index - 1].end - 1].base
            if items[index - 1].slot in _THINGS and self._lexicon.noun_for("running", (before,)):
                items[index] = item._replace(value="costs")
        return items


def _active(after: Sequence[Item]) -> tuple[Item, Item, Item, list[Item]] | None:
    """The auxiliary, the owner, the verb and the rest of "did it spend on …" and of "was spent on … by it"."""
    if after and after[0].value == "money":
        after = after[1:]
    slots = [item.slot for item in after[:3]]
    if slots == ["auxiliary", "entities", "carrier"] and after[0].value in _DID:
        return after[0], after[1], after[2], list(after[3:])
    by = next((index for index, item in enumerate(after) if (item.slot, item.value) == ("preposition", "by")), 0)
    if slots[:2] != ["auxiliary", "carrier"] or after[0].value not in _WAS or not 0 < by < len(after) - 1:
        return None
    if after[by + 1].slot != "entities":
        return None
    return after[0], after[by + 1], after[1], [*after[2:by], *after[by + 2 :]]


def _periods_first(rest: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """ "Spend in 2023 on fuel"."""
    end = 2 if len(rest) > 2 and rest[0].slot == "preposition" and rest[1].slot == "periods" else 0
    return list(rest[:end]), list(rest[end:])


def _is_of_period(rest: Sequence[Item]) -> bool:
    """Nothing, or when it was."""
    return all(
        item.slot in ("periods", "article", "basis") or (item.slot == "preposition" and item.value in _OF_PERIOD)
        for item in rest
    )


def with_one_name(items: Sequence[Item], words: Sequence[Word]) -> list[Item]:
    """ "Dividends … per share" are the dividend per share, "sales in units" the unit sales."""
    metrics = [item.value for item in items if item.slot == "metrics"]
    per_share = [item for item in items if (item.slot, item.value) == ("basis", "per-share")]
    if metrics == ["dividend"] and len(per_share) == 1:
        others = [item for item in items if item not in per_share]
        return [item._replace(value="dividend-per-share") if item.value == "dividend" else item for item in others]
    items = [_of_things(item, items[index - 1], words) if index else item for index, item in enumerate(items)]
    items = [_of_buyers(items, index, words) for index in range(len(items))]
    for index, item in enumerate(items[:-2]):
        said = [words[other.start].text for other in (item, *items[index + 1 : index + 3])]
        if item.slot == "metrics" and said == ["sales", "in", "units"]:
            return [*items[:index], item._replace(value="unit-sales"), *items[index + 3 :]]
    return list(items)


def _of_things(item: Item, before: Item, words: Sequence[Word]) -> Item:
    """Truck sales may be trucks, truck revenue is money."""
    if (item.slot, item.value) != _REVENUE or words[item.start].text != "sales" or before.slot not in _THINGS:
        return item
    return item._replace(value="sales") if words[before.end - 1].base in _SOLD_BY_NUMBER else item


def _of_buyers(items: Sequence[Item], index: int, words: Sequence[Word]) -> Item:
    """ "How much does it cost", unlike "how much are its costs"."""
    item, before = items[index], items[max(0, index - 1)]
    if (item.slot, item.value) != ("metrics", "costs") or words[item.start].text != "cost":
        return item
    does = any(other.slot == "auxiliary" and other.value in _DID for other in items[:index])
    is_subject = before.slot in ("entities", *_THINGS) and not words[before.end - 1].raw.endswith(("'s", "'"))
    return item._replace(slot="synonyms", value="cost") if does and is_subject else item
