"""What kind of answer is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from api.cache.slots.words.items import Item

YES_NO = "yes-no"
COMPARATIVES = frozenset(
    {"higher", "lower", "larger", "smaller", "more", "less", "fewer", "better", "worse", "faster", "slower"}
)
DEFINITIONS = frozenset({"define", "calculate"})
COMPARISONS = frozenset({"compare", "difference"})
# Where a metric is asked for, the verb that says the company has it adds nothing, and the order of words does not
# matter. Not so with "who" and "which": who pays Apple and whom Apple pays are two questions.
PLAIN = frozenset(
    {
        "what",
        "calculate-it",
        "count",
        "why",
        "when",
        "where",
        YES_NO,
        "summarise",
        "explain",
        "should",
        *DEFINITIONS,
        *COMPARISONS,
    }
)

_ANOTHER = frozenset({"why", "how", "when", "where", "who", "how-much", "how-many", "what", "which"})
_GIVES_WAY = frozenset({"explain", "what", "how", "how-much", "list", "whether", "discuss"})
_STRONG = frozenset(
    {
        "define",
        "mean",
        "calculate",
        "how-calculate",
        "compare",
        "difference",
        "summarise",
        "why",
        "ratio-of",
        "how-many",
    }
)
AMOUNTS = frozenset({"flow", "expense", "payment", "ratio", "balance", "market", "count"})
_FOR_KIND = {"person": "who", "date": "when", "place": "where"}
_ASKS_FOR_VALUE = frozenset({"what", "which", "list"})
_BEFORE_A_HEAD = frozenset({"entities", "periods", "basis", "top_n", "directions", "numbers", "documents"})
_HEADS = frozenset({"unknown", "synonyms", "soft"})
_CHANGES = frozenset({"up", "down", "change", "surge", "plunge", "improve", "worsen"})
_VERBS = frozenset({"carrier", "unknown", "synonyms", "idiom", "directions"})
_START_OF_YES_NO = frozenset({"auxiliary", "modal"})


def question_type(items: Sequence[Item], *, metric_kinds: Collection[str]) -> tuple[str, list[Item]]:
    """The type, and the question words that it does not account for.

    `items` without boilerplate; `metric_kinds` of the metrics in them.
    """
    asked = [item for item in items if item.slot == "question"]
    if not asked:
        return _without_question_word(items, metric_kinds), []
    first, *others = [item for item in asked if not _is_average(item, items)] or asked
    averages = [item for item in asked if item is not first and item not in others]
    # "Explain why", "what is the difference", "how is it calculated": the later word says it.
    while others and _gives_way(first, others[0], items):
        first, *others = others
    others = [item for item in others if not (first.value in COMPARISONS and item.value in _GIVES_WAY)] + averages
    if first.value in ("calculate", "how-calculate") and len(asked) == 1 and items[0].slot == "auxiliary":
        return "how", others
    if first.value == "calculate" and len(asked) == 1:
        # "Calculate Apple's margin" asks for the figure, "how do I calculate Apple's margin" for the way.
        return "calculate-it", others
    if _is_choice(first, items):
        return "which", others
    return _settled(first, items, metric_kinds), others


def _gives_way(first: Item, other: Item, items: Sequence[Item]) -> bool:
    if first.value in ("explain", "discuss"):
        # "Did Apple explain why" asks what Apple did.
        return not _has_subject(first, items)
    return first.value in _GIVES_WAY and other.value in _STRONG


def asks_twice(items: Sequence[Item]) -> bool:
    """ "Did it fall and why"."""
    return any(
        (before.slot, before.value) == ("connective", "and") and item.slot == "question" and index > 0
        for index, (before, item) in enumerate(pairwise(items))
        if item.value in _ANOTHER
    )


def _without_question_word(items: Sequence[Item], metric_kinds: Collection[str]) -> str:
    content = [item for item in items if item.slot not in ("article", "connective")]
    start = next((item for item in items if item.slot not in ("periods", "preposition", "article", "documents")), None)
    if start is not None and start.slot == "modal" and start.value == "should":
        return "should"
    if start is not None and start.slot in _START_OF_YES_NO:
        return "which" if _is_choice_of_two(items) else YES_NO
    if any(item.slot == "connective" and item.value == "vs" for item in items):
        return "compare"
    if not any(item.slot == "auxiliary" for item in items):
        for kind in metric_kinds:
            if kind in _FOR_KIND:
                return _FOR_KIND[kind]
    return "what" if content else "nothing"


def _is_average(item: Item, items: Sequence[Item]) -> bool:
    """ "The mean revenue", unlike "what does revenue mean"."""
    after = next((other for other in items if other.start >= item.end), None)
    return item.value == "mean" and after is not None and after.slot in ("metrics", "basis")


def _is_choice(first: Item, items: Sequence[Item]) -> bool:
    """ "Which had more debt, Ford or GM?"."""
    return (
        first.value in ("which", "who", "whose")
        and len({item.value for item in items if item.slot == "entities"}) == 2
        and any(item.slot == "connective" and item.value in ("or", "and", "between", "vs") for item in items)
        and any(item.slot == "directions" for item in items)
    )


def _is_choice_of_two(items: Sequence[Item]) -> bool:
    """ "Did Ford or GM have more debt?" asks which of the two."""
    named = [index for index, item in enumerate(items) if item.slot == "entities"]
    if len(named) != 2 or any(item.slot == "connective" and item.value != "or" for item in items):
        return False
    between = [(item.slot, item.value) for item in items[named[0] + 1 : named[1]]]
    return between == [("connective", "or")] and any(
        item.slot == "directions" and item.value in COMPARATIVES for item in items
    )


def _settled(first: Item, items: Sequence[Item], metric_kinds: Collection[str]) -> str:
    value = {"mean": "define", "how-calculate": "calculate", "whether": YES_NO}.get(first.value, first.value)
    if value == "how-many" and any(item.slot == "units" and item.start == first.end for item in items):
        # "By how many basis points"
        value = "how-much"
    if value == "how-many":
        is_figure = metric_kinds and set(metric_kinds) <= {"count"}
        return "what" if is_figure and not any(item.slot in _HEADS for item in items) else "count"
    if value in _ASKS_FOR_VALUE and _asks_which(first, items):
        return _for_kind("which", items, metric_kinds)
    if value in _ASKS_FOR_VALUE:
        return _for_kind("what", items, metric_kinds)
    if not metric_kinds:
        return value
    directed = {item.value for item in items if item.slot == "directions"}
    if value == "how-high" and any("price" in item.value for item in items if item.slot == "metrics"):
        # The highest price of a time is not its price.
        return value
    if value == "how-high" or (value in ("how-much", "how-big") and _is_size(items, metric_kinds)):
        return "what"
    has_changed = value == "how" and _is_change_of_figure(items) and _is_size(items, metric_kinds)
    if has_changed or (value == "how-fast" and directed & {"up", "down"}):
        return "what"
    if value == "explain" and directed & _CHANGES:
        # "Did Apple explain the fall"
        return value if _has_subject(first, items) else "why"
    return _for_kind(value, items, metric_kinds)


def _is_change_of_figure(items: Sequence[Item]) -> bool:
    """ "How did its price change", unlike "how did it change its price"."""
    slots = [item.slot if (item.slot, item.value) != ("directions", "change") else "change" for item in items]
    return "change" in slots and "metrics" in slots[: slots.index("change")]


def _has_subject(verb: Item, items: Sequence[Item]) -> bool:
    return any(item.slot == "entities" and item.end <= verb.start for item in items)


def _is_size(items: Sequence[Item], metric_kinds: Collection[str]) -> bool:
    """A debt is how large it is; customers and stores are more than that."""
    return set(metric_kinds) <= AMOUNTS and not any(item.value == "store-count" for item in items)


def _for_kind(value: str, items: Sequence[Item], metric_kinds: Collection[str]) -> str:
    """ "What is the name of the CEO" asks who, "who are the competitors" asks what."""
    for kind in metric_kinds:
        if kind in _FOR_KIND and value in ("what", _FOR_KIND[kind]) and not any(item.slot in _VERBS for item in items):
            return _FOR_KIND[kind]
    if value == "who" and set(metric_kinds) == {"attribute"} and any(item.value in ("is", "was") for item in items):
        return "what"
    return value


def _asks_which(first: Item, items: Sequence[Item]) -> bool:
    """ "What segment had …" and "which segment had …", unlike "what revenue had …" and "what is …"."""
    following = items[items.index(first) + 1 :]
    if first.value == "list" or not following:
        return False
    last = next((item for item in reversed(items) if item.slot not in ("periods", "preposition")), None)
    if last is not None and last.slot == "auxiliary" and following[0].slot == "entities":
        # "Tell me what Apple's services revenue was"
        return False
    if (first.value, following[0].value) == ("which", "of"):
        return True
    head = next((item for item in following if item.slot not in _BEFORE_A_HEAD), following[-1])
    return head.slot in _HEADS
