"""Whether a question can be understood by itself, and whether its answer depends on who asks."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.question_frame import COMPARISONS, DEFINITIONS
from api.cache.slots.words.items import UNKNOWN, Item

_GOES_ON = frozenset(
    {
        "and",
        "but",
        "also",
        "then",
        "or",
        "so",
        "no",
        "yes",
        "again",
        "continue",
        "more",
        "elaborate",
        "else",
        "same",
        "ok",
        "okay",
    }
)
_POINTS_BACK = frozenset({"this", "that", "those", "same", "former", "one", "it"})
_CONTENT = frozenset({UNKNOWN, "synonyms", "idiom", "entities", "metrics", "documents", "directions", "ask", "wish"})
_ABOUT_ONE_COMPANY = frozenset(
    {"what", "yes-no", "why", "when", "who", "where", "count", "how", "summarise", "explain"}
)


def is_personal(items: Sequence[Item]) -> bool:
    """Me, my, our. `items` without boilerplate such as "I would like to know"."""
    return any(item.slot == "personal" and item.value != "you" for item in items)


def stands_alone(frame: Frame) -> bool:
    """Whether nothing in it points to an earlier question or answer."""
    items = frame.items
    if not items or frame.words[items[0].start].text in _GOES_ON or frame.question_type == "how-about":
        return False
    if any(_points_back(frame, index) for index in range(len(items))):
        return False
    if frame.metrics:
        return bool(frame.companies) or _is_about_no_company(frame)
    content = sum(item.slot in _CONTENT for item in items)
    return content >= (1 if frame.question_type in ("define", "what", "who", "which") else 2)


def _is_about_no_company(frame: Frame) -> bool:
    """A definition, a country's figure, or a question with words enough of its own."""
    if frame.question_type in DEFINITIONS | COMPARISONS or is_definition(frame):
        return True
    others = [item for item in frame.items if item.slot in (UNKNOWN, "synonyms", "entities")]
    return bool(others)


def is_definition(frame: Frame) -> bool:
    """ "What is free cash flow", "explain EBITDA": the concept and nothing else."""
    if frame.question_type == "define":
        return True
    if frame.question_type not in ("what", "explain") or not frame.metrics:
        return False
    said = [item for item in frame.items if item.slot not in ("metrics", "question", "soft")]
    extras = {item.value for item in said}
    is_asked = any(item.slot == "question" and item.value in ("what", "explain") for item in frame.items)
    return is_asked and extras <= {"is", "article"} and not _has_the(frame)


def _has_the(frame: Frame) -> bool:
    """ "What is the EBITDA" asks for somebody's."""
    return any(item.slot == "article" and frame.words[item.start].text == "the" for item in frame.items)


def _points_back(frame: Frame, index: int) -> bool:
    item = frame.items[index]
    if item.slot == "numbers" and index and frame.items[index - 1].slot == "question":
        # "Which one is bigger?"
        return frame.words[item.start].text == "one"
    if item.slot != "pronoun":
        return False
    named = any(frame.kind(other) == "company" for other in frame.items)
    if item.value in ("its", "the-company"):
        return not named
    if item.value == "it":
        return not any(frame.kind(other) == "company" for other in frame.items[:index])
    if item.value == "that":
        after = frame.items[index + 1] if index + 1 < len(frame.items) else None
        if index and frame.metrics and after is not None and (after.slot, after.value) == ("preposition", "of"):
            # "Than that of Ford"
            return False
        return not index or frame.items[index - 1].slot not in (UNKNOWN, "synonyms", "metrics", "entities")
    return item.value in _POINTS_BACK
