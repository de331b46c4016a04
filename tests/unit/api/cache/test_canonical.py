from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.cache.canonical import canonical_form
from api.cache.slots.types import Slots

texts = st.lists(st.text(max_size=3), max_size=3).map(tuple)
slots = st.builds(
    Slots,
    question_type=st.text(max_size=3),
    entities=texts,
    metrics=texts,
    periods=texts,
    basis=texts,
    residual=texts,
    soft=texts,
    top_n=st.none() | st.text(max_size=2),
    ordered=st.booleans(),
    personal=st.booleans(),
)


@given(slots, slots)
def test_forms_are_equal_exactly_where_slots_are(one: Slots, other: Slots) -> None:
    assert (canonical_form(one) == canonical_form(other)) == (one == other)


def test_nothing_runs_together() -> None:
    forms = {
        canonical_form(Slots(question_type="what", entities=entities, metrics=metrics))
        for entities, metrics in ((("a", "b"), ()), (("ab",), ()), (("a",), ("b",)), ((), ("a", "b")), (("a,b",), ()))
    }
    assert len(forms) == 5


def test_a_question_that_is_not_understood_has_no_form() -> None:
    assert canonical_form(Slots(question_type="what", problems=("period not understood: q5",))) is None


def test_the_form_is_the_same_in_every_process() -> None:
    form = canonical_form(Slots(question_type="what", entities=("apple",), periods=("Q3-2024",)))
    assert form is not None
    assert form.startswith(b"\xdc\x00\x13\xa4what\x91\xa5apple\x90\x91\xa7Q3-2024")
