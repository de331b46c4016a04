"""Question words that ask for a figure beside a figure, and for something else elsewhere.

"How big was its loss" asks how much it was, "how big is Amazon" not how much Amazon is.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Lexicon

_MOVES = frozenset({"up", "down", "change", "surge", "plunge", "accelerate", "decelerate"})
VOLUMES = frozenset({"production", "capacity", "shipments", "deliveries", "foot-traffic", "bit-shipments"})
_AMOUNTS = frozenset({"flow", "expense", "payment", "balance", "ratio", "market"})
_BESIDE_MOVES = {"at-what-rate": "how-fast", "how-strongly": "how-fast", "accounts-for": "why"}


def with_measures(items: Sequence[Item], lexicon: Lexicon) -> list[Item]:
    """With each such question word as the one that it stands for."""
    kinds = {lexicon.metric_kinds.get(item.value) for item in items if item.slot == "metrics"}
    named = {item.value for item in items if item.slot == "metrics"}
    has_amount = bool(kinds & _AMOUNTS) and not named & VOLUMES
    return [_settled(item, items, has_amount=has_amount) for item in items]


def _settled(item: Item, items: Sequence[Item], *, has_amount: bool) -> Item:
    if item.slot != "question":
        return item
    if item.value == "value-of":
        return item._replace(value="what") if has_amount else item
    return item._replace(value=_BESIDE_MOVES.get(item.value, item.value)) if _has_move(items) else item


def _has_move(items: Sequence[Item]) -> bool:
    return any(item.slot == "directions" and item.value in _MOVES for item in items)
