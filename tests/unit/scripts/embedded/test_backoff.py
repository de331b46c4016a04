from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.embedded.backoff import RestartBackoff


@pytest.mark.parametrize(("crashes", "delay_s"), [(1, 0.1), (2, 0.2), (3, 0.4), (6, 3.2), (7, 5.0), (1000, 5.0)])
def test_the_delay_doubles_up_to_its_limit(crashes: int, delay_s: float) -> None:
    assert RestartBackoff().delay_s(crashes) == pytest.approx(delay_s)


@given(st.integers(min_value=1, max_value=10**9))
def test_the_delay_never_exceeds_its_limit(crashes: int) -> None:
    assert 0 < RestartBackoff(first_s=0.5, limit_s=7).delay_s(crashes) <= 7


@pytest.mark.parametrize(("before", "ran_for_s", "after"), [(0, 0.0, 1), (3, 9.9, 4), (3, 10.0, 1)])
def test_a_healthy_run_starts_over(before: int, ran_for_s: float, after: int) -> None:
    assert RestartBackoff(healthy_after_s=10).crashes_in_a_row(before=before, ran_for_s=ran_for_s) == after
