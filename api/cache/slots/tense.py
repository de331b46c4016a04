"""Tense, aspect and mood, where they carry meaning."""

from __future__ import annotations

from collections.abc import Iterator

from api.cache.slots.frame import Frame

_PAST = frozenset({"was", "did", "had"})
# "What caused", "what is causing", "what causes": the question's own words tell the time.
_PAST_CAUSES = frozenset(
    {"caused", "drove", "driven", "led", "was", "were", "explained", "lay", "made", "accounted", "contributed"}
    | {"resulted", "triggered", "prompted"}
)
_VERBS = frozenset({"unknown", "synonyms", "directions", "carrier", "imperative"})


def tense_and_mood(frame: Frame) -> Iterator[str]:
    """Values for `basis`. Tense matters only where no period says when; "will" and "could" always do."""
    if not any(item.slot == "periods" for item in frame.items):
        yield from _tense(frame)
    for item in frame.items:
        if item.slot == "modal" and not (item.value == "should" and frame.question_type == "should"):
            yield f"modal:{item.value}"


def _tense(frame: Frame) -> Iterator[str]:
    auxiliaries = {item.value for item in frame.items if item.slot == "auxiliary"}
    causes = {
        word.text for item in frame.items if item.slot == "question" for word in frame.words[item.start : item.end]
    }
    if auxiliaries & _PAST or causes & _PAST_CAUSES or (not auxiliaries and _tells_of_the_past(frame)):
        yield "past"
    if auxiliaries & {"have", "had"} and ("be" in auxiliaries or _has_participle(frame)):
        # "Has Apple paid", unlike "does Apple pay".
        yield "perfect"
    if auxiliaries & {"is", "was"} and any(_is_progressive(frame, index) for index in range(len(frame.items))):
        yield "progressive"
    if causes & {"causing", "driving"}:
        yield "progressive"


def _has_participle(frame: Frame) -> bool:
    after = next((item.end for item in frame.items if item.value in ("have", "had")), 0)
    return any(frame.is_participle(item) and item.slot != "metrics" for item in frame.items if item.start >= after)


def _is_progressive(frame: Frame, index: int) -> bool:
    item = frame.items[index]
    if item.slot in ("carrier", "imperative") and frame.has_plain_verb:
        return False
    return item.slot in _VERBS and frame.words[item.start].text.endswith("ing")


def _tells_of_the_past(frame: Frame) -> bool:
    """ "Who acquired Slack", "which segment grew"."""
    return frame.question_type in ("who", "which") and any(
        frame.is_participle(item) and item.slot != "metrics" for item in frame.items
    )
