from __future__ import annotations

from itertools import product

import pytest

from api.cache.slots.types import Slots
from api.cache.volatility import entry_tags, is_volatile, question_class, ttl_s


@pytest.mark.parametrize(
    ("volatile", "stable_s", "volatile_s", "expected_s"),
    [(False, 86_400, 300, 86_400), (True, 86_400, 300, 300), (True, 60, 300, 60)],
)
def test_volatile_answers_are_kept_for_a_shorter_time(
    *, volatile: bool, stable_s: float, volatile_s: float, expected_s: float
) -> None:
    slots = Slots(question_type="what", volatile=volatile)
    assert is_volatile(slots) is volatile
    assert ttl_s(slots, stable_s=stable_s, volatile_s=volatile_s) == expected_s


def test_tags_name_entities_and_periods_without_their_kind() -> None:
    slots = Slots(
        question_type="what",
        entities=("apple", "geography:china", "name:larkspur", "segment:aws"),
        periods=("Q3-2024",),
    )
    assert entry_tags(slots) == (
        "entity:apple",
        "entity:china",
        "entity:larkspur",
        "entity:aws",
        "period:Q3-2024",
    )
    assert entry_tags(Slots(question_type="what")) == ()


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        (Slots(question_type="what", metrics=("revenue",), in_domain=True), "what/metric"),
        (Slots(question_type="who", entities=("apple",), in_domain=True), "who/entity"),
        (Slots(question_type="how"), "how/general"),
        (Slots(question_type="whatever a rule may call it", in_domain=True), "other/entity"),
    ],
)
def test_class(slots: Slots, expected: str) -> None:
    assert question_class(slots) == expected


def test_there_are_few_classes() -> None:
    types = [*"abcdefghijklmnopqrstuvwxyz", "what", "why", "how-much", "compare", "define", "yes-no", "discuss"]
    classes = {
        question_class(Slots(question_type=kind, metrics=metrics, in_domain=known))
        for kind, metrics, known in product(types, ((), ("eps",)), (True, False))
    }
    assert len(classes) == 3 * 7
