"""Questions about anything else: no slot is known, so every word counts, as it stands, in its order."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.frame import Frame
from api.cache.slots.judgement import Part


def verbatim(frame: Frame) -> list[Part]:
    """Every word is residual, save that "a" and "an" are soft.

    Abbreviations stay in capitals: WHO is not who, and US is not us.
    """
    whispers = any(any(map(str.islower, word.raw)) for word in frame.words)
    parts = []
    for item in frame.items:
        for word in frame.words[item.start : item.end]:
            if word.text in ("a", "an"):
                parts.append(Part("soft", word.text))
            else:
                is_abbreviation = whispers and len(word.raw) > 1 and word.raw.isupper()
                parts.append(Part("residual", word.raw if is_abbreviation else word.text))
    return parts


def slots_of(frame: Frame) -> Sequence[Part]:
    """What was recognised all the same, for tags and for the reasons given to people."""
    return [
        Part(item.slot, f"geography:{item.value}" if frame.kind(item) == "geography" else item.value)
        for item in frame.items
        if item.slot in ("entities", "metrics", "periods", "numbers", "units", "currencies", "negations")
    ]
