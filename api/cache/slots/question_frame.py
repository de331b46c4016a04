"""What kind of answer is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from api.cache.slots.reading import Item

YES_NO = "yes-no"
DEFINITIONS = frozenset({"define", "calculate"})
COMPARISONS = frozenset({"compare", "difference"})
# Where a metric is asked for, the verb that says the company has it adds nothing, and the order of words does not
# matter. Not so with "who" and "which": who pays Apple and whom Apple pays are two questions.
PLAIN = frozenset(
    {"what", "count", "why", "when", "where", YES_NO, "summarise", "explain", "should", *DEFINITIONS, *COMPARISONS}
)

_GIVES_WAY = frozenset({"explain", "what", "how", "list", "whether", "discuss"})
_STRONG = frozenset({"define", "calculate", "compare", "difference", "summarise", "why", "ratio-of"})
_FOR_KIND = {"person": "who", "date": "when", "place": "where"}
_ASKS_FOR_VALUE = frozenset({"what", "which", "list"})
_START_OF_YES_NO = frozenset({"auxiliary", "modal"})


def question_type(items: Sequence[Item], *, metric_kinds: Collection[str]) -> tuple[str, list[Item]]:
    """The type, and the question words that it does not account for.

    `items` without boilerplate; `metric_kinds` of the metrics in them.
    """
    asked = [item for item in items if item.slot == "question"]
    if not asked:
        return _without_question_word(items, metric_kinds), []
    first, *others = asked
    # "Explain why", "what is the difference", "how is it calculated": the later word says it.
    while (
        others and first.value in _GIVES_WAY and (first.value in ("explain", "discuss") or others[0].value in _STRONG)
    ):
        first, *others = others
    others = [item for item in others if not (first.value in COMPARISONS and item.value in _GIVES_WAY)]
    return _settled(first, items, metric_kinds), others


def _without_question_word(items: Sequence[Item], metric_kinds: Collection[str]) -> str:
    content = [item for item in items if item.slot not in ("article", "connective")]
    start = next((item for item in items if item.slot not in ("periods", "preposition")), None)
    if start is not None and start.slot == "modal" and start.value == "should":
        return "should"
    if start is not None and start.slot in _START_OF_YES_NO:
        return YES_NO
    if any(item.slot == "connective" and item.value == "vs" for item in items):
        return "compare"
    if "person" in metric_kinds and not any(item.slot == "auxiliary" for item in items):
        return "who"
    return "what" if content else "nothing"


def _settled(first: Item, items: Sequence[Item], metric_kinds: Collection[str]) -> str:
    value = first.value
    if value == "whether":
        return YES_NO
    if value == "how-many":
        return "what" if metric_kinds and set(metric_kinds) <= {"count"} else "count"
    if not metric_kinds:
        return _without_metric(first, items)
    directed = {item.value for item in items if item.slot == "directions"}
    if value == "how-much" or (value == "how-fast" and directed & {"up", "down"}):
        return "what"
    if value == "how" and "change" in directed:
        return "what"
    if value in _ASKS_FOR_VALUE or value in _FOR_KIND.values():
        for kind in metric_kinds:
            if kind in _FOR_KIND and value in (*_ASKS_FOR_VALUE, _FOR_KIND[kind]):
                return _FOR_KIND[kind]
        if value == "who" and set(metric_kinds) == {"attribute"} and any(item.value in ("is", "was") for item in items):
            # "Who are Apple's competitors"
            return "what"
    if value in _ASKS_FOR_VALUE and not _asks_which(first, items):
        return "what"
    return value if value != "what" else "which"


def _without_metric(first: Item, items: Sequence[Item]) -> str:
    if first.value in ("what", "which"):
        return "which" if _asks_which(first, items) else "what"
    return "what" if first.value == "list" else first.value


def _asks_which(first: Item, items: Sequence[Item]) -> bool:
    """ "What segment had …" and "which segment had …", unlike "what revenue had …" and "what is …"."""
    if first.value == "list":
        return False
    following = next((item for item in items if item.start >= first.end), None)
    if following is not None and first.value == "which" and following.value == "of":
        return True
    return following is not None and following.slot in ("unknown", "synonyms", "directions", "soft", "top_n")
