"""The guard of the semantic tier: whether two questions, whose vectors are close, ask for the same answer."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import msgpack

from api.cache.slots.types import Slots

# All that carries meaning. `soft` is forgiven, and `volatile` follows from the others.
_COMPARED: Final = (
    "question_type",
    "entities",
    "metrics",
    "periods",
    "numbers",
    "units",
    "currencies",
    "directions",
    "negations",
    "basis",
    "top_n",
    "ordered",
    "residual",
    "in_domain",
    "personal",
    "standalone",
)
LEGAL_FORM: Final = "legal-form:"
_encode = msgpack.Encoder().encode


class AgreementDecision(NamedTuple):
    agrees: bool
    reasons: tuple[str, ...]
    """One sentence for each slot that differs; empty when they agree."""


def agreement(asked: Slots, stored: Slots) -> AgreementDecision:
    """Whether the stored answer may serve. Any doubt about either question is a no."""
    reasons = [
        f"{name} differs: {_shown(getattr(asked, name))} against {_shown(getattr(stored, name))}"
        for name in _COMPARED
        if getattr(asked, name) != getattr(stored, name)
    ]
    for whose, slots in (("the question", asked), ("the stored question", stored)):
        reasons.extend(f"{whose} is not understood: {problem}" for problem in slots.problems)
    asked_forms, stored_forms = _legal_forms(asked), _legal_forms(stored)
    if asked_forms and stored_forms and asked_forms != stored_forms:
        reasons.append(f"legal form differs: {_shown(asked_forms)} against {_shown(stored_forms)}")
    return AgreementDecision(agrees=not reasons, reasons=tuple(reasons))


def likeness(slots: Slots) -> bytes | None:
    """Equal for any two questions that agree, so others need not be searched; None: it agrees with none."""
    return None if slots.problems else _encode([getattr(slots, name) for name in _COMPARED])


def _legal_forms(slots: Slots) -> tuple[str, ...]:
    """Of names that the lexicon does not know: Acme Inc. and Acme Ltd. may be two companies."""
    return tuple(sorted(word.removeprefix(LEGAL_FORM) for word in slots.soft if word.startswith(LEGAL_FORM)))


def _shown(value: object) -> str:
    match value:
        case tuple():
            return ", ".join(map(str, value)) or "nothing"
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
    return str(value)
