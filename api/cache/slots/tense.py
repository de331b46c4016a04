"""Tense and mood, where they carry meaning."""

from __future__ import annotations

from collections.abc import Iterator

from api.cache.slots.frame import Frame


def tense_and_mood(frame: Frame) -> Iterator[str]:
    """Values for `basis`. "Is" and "was" differ only where no period says when; "will" and "could" always do."""
    items = frame.items
    dated = any(item.slot == "periods" for item in items)
    auxiliaries = {item.value for item in items if item.slot == "auxiliary"}
    if not dated and (auxiliaries & {"was", "did", "had"} or (not auxiliaries and _tells_of_the_past(frame))):
        yield "past"
    for item in items:
        if item.slot == "modal" and not (item.value == "should" and frame.question_type == "should"):
            yield f"modal:{item.value}"


def _tells_of_the_past(frame: Frame) -> bool:
    """ "Who acquired Slack", "which segment grew"."""
    return frame.question_type in ("who", "which") and any(
        frame.is_participle(item) and item.slot != "metrics" for item in frame.items
    )
