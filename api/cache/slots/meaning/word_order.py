"""Whether the order of mention carries meaning: who acquired whom, from what to what, which figure of which company.

Sorted slots lose which value goes with which. So they are sorted only where nothing could be confused: one value of
each kind, or several of one kind joined by "and" in a question that treats them alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from api.cache.slots.question.parts import Part
from api.cache.slots.question.question_frame import COMPARISONS

_PLACES = ("geography:", "segment:")
# Of these there may be several: they describe figures, and there is one figure.
_UNCONFUSED = frozenset({"basis", "units", "currencies", "soft", "top_n"})
_JOINING = frozenset({"and", "or", "vs"})
_COMPARING = frozenset({"and", "or", "vs", "between", "to", "with", "from", "of", "that", "than"})
_MOVES = frozenset({"up", "down", "change"})
# What may belong to one of two that are compared.
_OF_ONE_SIDE = frozenset({"basis", "directions", "negations", "top_n", "numbers"})
_DEGREES = frozenset(
    """
    max min best worst strongest weakest fastest slowest longest shortest newest oldest higher lower larger smaller
    more less fewer better worse stronger weaker faster slower top bottom above below under before after into positive
    negative
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)


def is_symmetric(parts: Sequence[Part], question_type: str) -> bool:
    """Whether swapping any two parts of the same kind would leave the meaning as it is."""
    several = _kinds_with_several(parts)
    if not several:
        return True
    if len(several) > 1 or "residual" in several:
        return False
    kind = next(iter(several))
    at = [index for index, part in enumerate(parts) if _kind(part) == kind]
    gaps = [parts[one + 1 : other] for one, other in pairwise(at)]
    if all(gap and all(part.slot == "residual" and part.value in _JOINING for part in gap) for gap in gaps):
        return True
    if question_type in COMPARISONS:
        parts = _without_growth(parts)
        at = [index for index, part in enumerate(parts) if _kind(part) == kind]
        gaps = [parts[one + 1 : other] for one, other in pairwise(at)]
    if question_type not in COMPARISONS or any(part.slot in _OF_ONE_SIDE for part in parts):
        return False
    return all(gap and all(_may_stand_between(part) for part in gap) for gap in gaps)


def _without_growth(parts: Sequence[Part]) -> Sequence[Part]:
    """ "Compare Visa's revenue growth with Mastercard's": both have it, where it stands at the only figure."""
    figures = [index for index, part in enumerate(parts) if part.slot == "metrics"]
    moves = [index for index, part in enumerate(parts) if part.slot == "directions"]
    if len(figures) != 1 or len(moves) != 1 or moves[0] != figures[0] + 1 or parts[moves[0]].value not in _MOVES:
        return parts
    return [part for index, part in enumerate(parts) if index != moves[0]]


def _may_stand_between(part: Part) -> bool:
    """ "Compare Apple's revenue with Nvidia's": the metric, which both have."""
    if part.slot == "entities" and part.value.startswith(_PLACES):
        return False
    return part.slot in ("metrics", "periods") or (part.slot == "residual" and part.value in _COMPARING)


def is_joining(part: Part, question_type: str) -> bool:
    """Adds nothing once the order of what it joins does not matter."""
    if part.slot != "residual":
        return False
    return part.value == "and" or (question_type in COMPARISONS and part.value in _COMPARING - {"than", "that"})


def sentence(parts: Sequence[Part]) -> tuple[str, ...]:
    """All parts in the order of mention: what stands for the meaning when that order matters."""
    return tuple(part.value if part.slot == "residual" else f"{part.slot}:{part.value}" for part in parts)


def _kinds_with_several(parts: Sequence[Part]) -> set[str]:
    values = defaultdict(set)
    for part in parts:
        if part.slot not in _UNCONFUSED and part.slot != "residual":
            values[_kind(part)].add(part.value)
    return {kind for kind, found in values.items() if len(found) > 1}


def _kind(part: Part) -> str:
    if part.slot == "entities":
        return next((place for place in _PLACES if part.value.startswith(place)), "company")
    if part.slot == "directions":
        return "degree" if part.value in _DEGREES else "direction"
    return part.slot
