"""What the two tiers that read meaning would say of two questions."""

from __future__ import annotations

from api.cache.agreement import agreement
from api.cache.canonical import canonical_form
from api.cache.slots.parser import SlotParser


def is_canonical_hit(parser: SlotParser, one: str, other: str) -> bool:
    key = canonical_form(parser.parse(one))
    return key is not None and key == canonical_form(parser.parse(other))


def may_hit(parser: SlotParser, one: str, other: str) -> bool:
    """By the canonical key, or by the guard if their vectors were as close as can be."""
    return is_canonical_hit(parser, one, other) or agreement(parser.parse(one), parser.parse(other)).agrees
