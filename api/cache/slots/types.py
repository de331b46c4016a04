"""The slots of a question."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Token(NamedTuple):
    """One word or number of a question. Spans of tokens are half-open index ranges."""

    text: str
    """Normalised: NFKC, lower case, a possessive ending removed, a contraction taken apart."""
    raw: str
    """As it was written."""


class Span(NamedTuple):
    """Tokens `start` to `end` (exclusive) mean `value`, in a slot's canonical spelling."""

    start: int
    end: int
    slot: str
    value: str


class Slots(Struct, frozen=True, kw_only=True, array_like=True):
    """Every field is in canonical spelling. Two questions with equal slots, residual words included, mean the same.

    Sequences are sorted, save where `ordered` says that the order of mention carries meaning.
    """

    question_type: str
    entities: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    negations: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    top_n: str | None = None
    ordered: bool = False
    """Entities, periods or residual words are in the order of mention: swapping them would change the meaning."""
    residual: tuple[str, ...] = ()
    """Content words that no slot took, in their base form."""
    soft: tuple[str, ...] = ()
    """Content words known to say little: the canonical key has them, the agreement guard may forgive them."""
    problems: tuple[str, ...] = ()
    """Why there is no canonical key: what was seen and not understood, or could mean two things."""
    in_domain: bool = False
    """An entity or a metric was recognised; else the rules for a domain without slots hold."""
    volatile: bool = False
    """The answer may change within minutes: now, today, current price, latest, a relative period."""
    personal: bool = False
    """The answer depends on who asks: my, our."""
    standalone: bool = True
    """It can be understood without the turns before it."""
