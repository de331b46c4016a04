from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.audit.book import AuditBook, Tally, Tier, Z, entry_fields, surely_higher, wilson


def book(near: tuple[int, int], exact: tuple[int, int] = (0, 0), *, of_all: tuple[int, int] = (0, 0)) -> AuditBook:
    """Audits and wrong ones of the class "what", and exact hits of another class."""
    return AuditBook(
        {
            ("what", Tier.SEMANTIC): Tally(*near),
            ("what", Tier.EXACT): Tally(*exact),
            ("why", Tier.EXACT): Tally(*of_all),
        }
    )


@given(st.integers(1, 10_000), st.data())
def test_wilson_bounds_are_where_the_score_test_turns(audits: int, data: st.DataObject) -> None:
    """The definition: at a bound p, the rate is Z standard errors of p away from p."""
    tally = Tally(audits, data.draw(st.integers(0, audits)))
    for bound in wilson(tally):
        assert (tally.rate - bound) ** 2 == pytest.approx(Z**2 * bound * (1 - bound) / audits, abs=1e-9)


def test_without_audits_the_rate_may_be_anything() -> None:
    assert wilson(Tally()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("near", "demoted"),
    [
        ((3, 3), True),
        ((2, 2), False),  # one or two odd answers are no pattern
        ((10, 3), True),
        ((40, 3), False),  # 7.5 %, but it may be less than 2 %
        ((100, 10), True),
        ((1000, 20), False),  # 2 %
        ((1000, 40), True),
        ((5000, 0), False),
    ],
)
def test_a_class_is_demoted_when_its_rate_is_surely_above_2_percent(near: tuple[int, int], *, demoted: bool) -> None:
    assert ("what" in book(near).demoted()) is demoted


def test_a_moody_engine_does_not_look_like_a_wrong_cache() -> None:
    assert book((40, 8), (40, 7)).demoted() == frozenset()
    assert book((40, 8), (400, 4)).demoted() == {"what"}


@pytest.mark.parametrize(("wrong_rate", "noise", "demoted"), [(0.01, 0.0, 0), (0.2, 0.2, 5), (0.2, 0.0, 100)])
def test_looking_after_every_audit_rarely_misleads(wrong_rate: float, noise: float, demoted: int) -> None:
    """100 classes, 300 audits each: how many are demoted at any time."""
    rng = random.Random(7)  # noqa: S311 - a simulation
    count = 0
    for _ in range(100):
        near, exact = Tally(), Tally()
        for _ in range(300):
            near += Tally(1, int(rng.random() < wrong_rate))
            exact += Tally(1, int(rng.random() < noise))
            if book((near.audits, near.wrong), (exact.audits, exact.wrong)).demoted():
                count += 1
                break
    assert count <= demoted if demoted < 100 else count == demoted


def test_the_noise_of_all_classes_counts_where_a_class_has_none_of_its_own() -> None:
    assert book((40, 8), of_all=(40, 7)).demoted() == frozenset()
    assert book((40, 8), of_all=(400, 4)).demoted() == {"what"}


def test_canonical_hits_demote_nothing() -> None:
    assert AuditBook({("what", Tier.CANONICAL): Tally(10, 10)}).demoted() == frozenset()


def test_days_add_up() -> None:
    wrong = entry_fields("what/metric", Tier.SEMANTIC, wrong=True)
    right = entry_fields("what/metric", Tier.SEMANTIC, wrong=False)
    assert AuditBook.read(wrong, right, wrong).tally("what/metric", Tier.SEMANTIC) == Tally(audits=3, wrong=2)


@pytest.mark.parametrize("field", ["", "what", "what|semantic", "what|near:audits", "what|semantic:right", "|:"])
def test_a_field_that_makes_no_sense_is_left_out(field: str) -> None:
    assert AuditBook.read({field: 5}).tallies == {}
    assert AuditBook.read({"what|semantic:audits": -5}).tallies == {}


@given(st.integers(1, 10_000), st.data())
def test_bounds_enclose_the_rate(audits: int, data: st.DataObject) -> None:
    tally = Tally(audits, data.draw(st.integers(0, audits)))
    low, high = wilson(tally)
    assert 0 <= low <= tally.rate + 1e-12
    assert tally.rate <= high + 1e-12 <= 1 + 1e-12
    assert not surely_higher(tally, tally)
