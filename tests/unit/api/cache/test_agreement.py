from __future__ import annotations

import msgspec
import pytest

from api.cache.agreement import agreement, likeness
from api.cache.slots.types import Slots

QUESTION = Slots(question_type="what", entities=("apple",), metrics=("revenue",), periods=("Q3-2024",), in_domain=True)

OTHERS = {
    "question_type": "why",
    "entities": ("amazon",),
    "metrics": ("net-income",),
    "periods": ("Q4-2024",),
    "numbers": ("5",),
    "units": ("million",),
    "currencies": ("EUR",),
    "directions": ("up",),
    "negations": ("not",),
    "basis": ("gaap",),
    "top_n": "top-5",
    "ordered": True,
    "residual": ("widget",),
    "in_domain": False,
    "personal": True,
    "standalone": False,
}
FORGIVEN = {"soft": ("exact",), "volatile": True}


def test_every_field_of_a_question_is_judged_here() -> None:
    assert {*OTHERS, *FORGIVEN, "problems"} == {field.name for field in msgspec.structs.fields(Slots)}


@pytest.mark.parametrize("name", OTHERS)
def test_another_value_in_any_slot_disagrees(name: str) -> None:
    other = msgspec.structs.replace(QUESTION, **{name: OTHERS[name]})
    for one, two in ((QUESTION, other), (other, QUESTION)):
        decision = agreement(one, two)
        assert not decision.agrees
        assert likeness(one) != likeness(two)
        assert [reason.split(" differs: ")[0] for reason in decision.reasons] == [name]


@pytest.mark.parametrize("name", FORGIVEN)
def test_what_says_little_is_forgiven(name: str) -> None:
    other = msgspec.structs.replace(QUESTION, **{name: FORGIVEN[name]})
    assert agreement(QUESTION, other) == (True, ())
    assert likeness(QUESTION) == likeness(other) is not None


def test_a_question_agrees_with_itself() -> None:
    assert agreement(QUESTION, QUESTION) == (True, ())


def test_reasons_name_slots_and_values() -> None:
    other = msgspec.structs.replace(QUESTION, periods=("Q4-2024", "Q1-2024"), top_n="top-5", ordered=True)
    assert agreement(QUESTION, other).reasons == (
        "periods differs: Q3-2024 against Q4-2024, Q1-2024",
        "top_n differs: nothing against top-5",
        "ordered differs: no against yes",
    )


def test_what_is_not_understood_agrees_with_nothing_not_even_itself() -> None:
    odd = msgspec.structs.replace(QUESTION, problems=("period not understood: q5",))
    assert likeness(odd) is None
    assert agreement(odd, odd).reasons == (
        "the question is not understood: period not understood: q5",
        "the stored question is not understood: period not understood: q5",
    )


@pytest.mark.parametrize(
    ("asked", "stored", "agrees"), [("inc", "ltd", False), ("inc", "inc", True), ("inc", "", True)]
)
def test_two_legal_forms_are_two_companies(asked: str, stored: str, *, agrees: bool) -> None:
    one, other = (
        msgspec.structs.replace(QUESTION, soft=(f"legal-form:{form}",) if form else ()) for form in (asked, stored)
    )
    assert agreement(one, other).agrees is agrees
    assert likeness(one) == likeness(other), "no agreement may be missed"
