"""Tense, aspect and mood, where they carry meaning."""

from __future__ import annotations

from collections.abc import Iterator

from api.cache.slots.question.frame import Frame
from api.cache.slots.words.items import Item

_PAST = frozenset({"was", "did", "had"})
# "What caused", "what is causing", "what causes": the question's own words tell the time.
_PAST_CAUSES = frozenset(
    {"caused", "drove", "driven", "led", "was", "were", "explained", "lay", "made", "accounted", "contributed"}
    | {"resulted", "triggered", "prompted"}
)
# It has happened once, however it is told.
_ONCE = frozenset({"founder", "founding-date", "ipo-date"})
_ASKED_WITH_ONE_VERB = frozenset({"what", "who", "where", "when"})
_VERBS = frozenset({"unknown", "synonyms", "directions", "carrier", "imperative"})


def tense_and_mood(frame: Frame) -> Iterator[str]:
    """Values for `basis`. Tense matters little where a period says when; "will", "could" and "is -ing" always do."""
    moods = [item.value for item in frame.items if item.slot == "modal"]
    if frame.question_type == "should" and "should" in moods:
        moods.remove("should")
    yield from (f"modal:{mood}" for mood in moods)
    auxiliaries = {item.value for item in frame.items if item.slot == "auxiliary"}
    causes = {word for item in frame.items if item.slot == "question" for word in _texts(frame, item)}
    # A forecast for a year is made again and again before it is over.
    forecast = any((item.slot, item.value) == ("basis", "forecast") for item in frame.items)
    dated = not forecast and any(item.slot == "periods" for item in frame.items)
    if _has_nothing_but_a_verb(frame, auxiliaries):
        yield "does"
    if {item.value for item in frame.metrics} & _ONCE:
        return
    if not dated or any(item.slot == "modal" for item in frame.items):
        yield from _tense(frame, auxiliaries, causes)
    progresses = any(
        _is_progressive(frame, index) or _texts(frame, item) == ["being"] for index, item in enumerate(frame.items)
    )
    # "What was driving it in 2023" is what drove it then.
    causing = bool(causes & {"causing", "driving"}) and not (dated and "was" in causes)
    if causing or (progresses and auxiliaries & {"is", "was"}):
        yield "progressive"


def _has_nothing_but_a_verb(frame: Frame, auxiliaries: set[str]) -> bool:
    """ "What does Apple support", unlike "what is Apple support": only "does" tells that it is a verb."""
    said = [item for item in frame.items if item.slot == "entities" or item.slot in _VERBS]
    if any(item.slot == "directions" for item in said):
        return False
    is_short = len(said) == 2 and not frame.metrics and said[0].slot == "entities" != said[1].slot
    return is_short and bool(auxiliaries & {"do", "did"}) and frame.question_type in _ASKED_WITH_ONE_VERB


def _tense(frame: Frame, auxiliaries: set[str], causes: set[str]) -> Iterator[str]:
    if auxiliaries & _PAST or causes & _PAST_CAUSES or (not auxiliaries and _tells_of_the_past(frame)):
        yield "past"
    if auxiliaries & {"have", "had"} and ("be" in auxiliaries or _has_participle(frame)):
        # "Has Apple paid", unlike "does Apple pay".
        yield "perfect"


def _texts(frame: Frame, item: Item) -> list[str]:
    return [word.text for word in frame.words[item.start : item.end]]


def _has_participle(frame: Frame) -> bool:
    after = next((item.end for item in frame.items if item.value in ("have", "had")), 0)
    return any(frame.is_participle(item) and item.slot != "metrics" for item in frame.items if item.start >= after)


def _is_progressive(frame: Frame, index: int) -> bool:
    item = frame.items[index]
    if item.slot in ("carrier", "imperative") and frame.has_plain_verb:
        return False
    if item.slot == "unknown" and index and frame.is_possessive(frame.items[index - 1]):
        # "IBM's consulting revenue"
        return False
    return item.slot in _VERBS and frame.words[item.start].text.endswith("ing")


def _tells_of_the_past(frame: Frame) -> bool:
    """ "Who acquired Slack", "which segment grew", "do you know why it grew"."""
    return (frame.is_indirect or frame.question_type in ("who", "which")) and any(
        frame.is_participle(item) and item.slot != "metrics" for item in frame.items
    )
