from __future__ import annotations

import pytest

from serving.mock_llm.core.timing import NUM_GPU_BLOCKS, CostModel

COSTS = CostModel()


def test_a_lone_decode_step_takes_the_time_of_reading_the_weights() -> None:
    step_s = COSTS.step_s(new_tokens=1, context_tokens=500, sequences=1)
    assert step_s == pytest.approx(0.0263, abs=0.001)


def test_prefill_reaches_about_four_thousand_tokens_a_second() -> None:
    step_s = COSTS.step_s(new_tokens=2048, context_tokens=0, sequences=1)
    assert 4000 < 2048 / step_s < 4400


def test_a_batch_of_32_costs_little_more_than_one() -> None:
    one = COSTS.step_s(new_tokens=1, context_tokens=500, sequences=1)
    many = COSTS.step_s(new_tokens=32, context_tokens=32 * 500, sequences=32)
    assert one < many < 1.25 * one


def test_the_default_cache_holds_what_fits_on_the_card() -> None:
    assert NUM_GPU_BLOCKS == 2560
