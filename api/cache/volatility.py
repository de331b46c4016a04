"""How long an answer stays right, what it can be purged by, and which class of questions it belongs to."""

from __future__ import annotations

from typing import Final

from api.cache.slots.types import Slots

_ENTITY_PREFIXES: Final = ("name:", "geography:", "segment:")
# The types of question that have a class of their own in metrics and in the audit.
_TYPES: Final = frozenset(
    """what count why who when where which how how-much yes-no should compare difference define calculate summarise
    explain""".split()  # noqa: SIM905 -- a list of words reads best as text
)


def is_volatile(slots: Slots) -> bool:
    """Whether the right answer may be another one within minutes or days."""
    return slots.volatile


def ttl_s(slots: Slots, *, stable_s: float, volatile_s: float) -> float:
    """Seconds for which an answer may be kept."""
    return min(stable_s, volatile_s) if slots.volatile else stable_s


def entry_tags(slots: Slots) -> tuple[str, ...]:
    """Such as `entity:apple` and `period:Q3-2024`: what an answer can be purged by."""
    entities = (_plain(entity) for entity in slots.entities)
    tags = [*(f"entity:{entity}" for entity in entities), *(f"period:{period}" for period in slots.periods)]
    return tuple(dict.fromkeys(tags))


def question_class(slots: Slots) -> str:
    """One of fewer than 60 words, such as `what/metric`, `who/entity` or `other/general`."""
    kind = slots.question_type if slots.question_type in _TYPES else "other"
    if not slots.in_domain:
        return f"{kind}/general"
    return f"{kind}/metric" if slots.metrics else f"{kind}/entity"


def _plain(entity: str) -> str:
    for prefix in _ENTITY_PREFIXES:
        if entity.startswith(prefix):
            return entity.removeprefix(prefix)
    return entity
