"""What is asked about a name or a word itself: here the lexicon's other names for the thing do not stand for it.

"What is CRM" is no question about Salesforce, nor "what was RTX called" one about Raytheon.
"""

from __future__ import annotations

from api.cache.slots.question.frame import SUPERLATIVES, Frame
from api.cache.slots.question.measures import VOLUMES
from api.cache.slots.words.items import Item

_AROUND_A_NAME = frozenset({"question", "auxiliary", "article", "entities", "courtesy"})
_MAY_BE_A_VERB = frozenset({"unknown", "synonyms", "carrier", "preposition"})
_OF_NAMES = frozenset(
    """
    call called spell spelled letters renamed rename pronounce pronounced acronym abbreviation
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
_THINGS = frozenset(
    """
    car truck vehicle pickup suv phone smartphone home house plane aircraft jet console unit ev motorcycle bike tractor
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)


def is_bare_name(frame: Frame) -> bool:
    """ "Who is Schwab", "what is FICO", "what was RTX called"."""
    if frame.metrics:
        return False
    return any(frame.text(item) in _OF_NAMES for item in frame.items) or all(
        item.slot in _AROUND_A_NAME for item in frame.items
    )


def is_word_itself(frame: Frame, index: int) -> bool:
    """Whether another name of the metric at `index` would be another thing here."""
    item = frame.items[index]
    text = frame.text(item)
    if item.value == "price":
        return frame.words[item.end - 1].text != frame.words[item.end - 1].base
    if item.value == "revenue" and text == "sales" and index:
        # Of cars there are so many, or so much.
        return frame.text(frame.items[index - 1]) in _THINGS
    if item.value == "headcount" and "workforce" in text:
        # Of a country these are all who work there.
        return not frame.companies
    return False


def is_one_of_the_largest(frame: Frame, index: int) -> bool:
    """ "Its largest segments", unlike "its largest segment"; a staff is one however it is called."""
    item, before = frame.items[index], frame.items[index - 1] if index else None
    if before is not None and before.slot == "entities" and index > 1:
        before = frame.items[index - 2]
    ranked = before is not None and before.slot == "directions" and before.value in SUPERLATIVES
    return ranked and item.value != "headcount" and frame.text(item) != frame.raw_text(item)


def is_main_verb(frame: Frame, index: int) -> bool:
    """ "What is Apple Pay", unlike "what does Apple pay"."""
    asked = frame.question_type in ("what", "who", "where") and frame.items[index].value in ("is", "was")
    others = frame.items[index + 1 :]
    if frame.metrics or any(item.slot in ("periods", "directions") for item in frame.items):
        return False
    has_verb = any(frame.is_participle(item) or frame.raw_text(item).endswith("ing") for item in others)
    is_known = any(frame.kind(item) == "company" for item in others)
    return asked and is_known and not has_verb and any(i.slot in _MAY_BE_A_VERB for i in others)


def is_counted(item: Item, frame: Frame) -> bool:
    """What was delivered has a number, and a value."""
    return frame.lexicon.metric_kinds.get(item.value) == "count" or item.value in VOLUMES


def is_moved_itself(frame: Frame) -> bool:
    """ "Did Facebook go down" is no question about a figure: nor is a falling share one about anything else."""
    figures = any(item.value in ("stock", "shares") or frame.kind(item) == "index" for item in frame.items)
    return not frame.metrics and not figures


def of_what_size(value: str, text: str) -> str:
    """Of figures the largest is the highest; of games and drivers it is not the greatest."""
    return value if text in ("largest", "biggest", "smallest") else f"{value}:{text}"
