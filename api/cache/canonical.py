"""The canonical form of a question: equal for questions that mean the same by every rule, different for all others."""

from __future__ import annotations

from msgspec import msgpack

from api.cache.slots.types import Slots

_encoder = msgpack.Encoder()


def canonical_form(slots: Slots) -> bytes | None:
    """Bytes to be hashed into a key; None: something was not understood, so there is no canonical hit.

    Two forms are equal only if all slots are: MessagePack gives each text its length, so nothing can run together.
    """
    return None if slots.problems else _encoder.encode(slots)
