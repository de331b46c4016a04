from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.mock_llm.core.sequence import FinishReason
from serving.mock_llm.outputs import OutputLimits, plan_output

TEXT = "The quick brown fox jumps over the lazy dog near the river bank."


def test_a_text_within_its_limit_ends_by_itself() -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=100))
    assert (plan.text, plan.finish_reason) == (TEXT, FinishReason.STOP)
    assert "".join(plan.tokens) == TEXT


def test_max_tokens_cuts_the_text() -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=3))
    assert len(plan.tokens) == 3
    assert (plan.text, plan.finish_reason) == ("The quick brown", FinishReason.LENGTH)


def test_no_tokens_at_all_is_a_length() -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=0))
    assert (plan.tokens, plan.text, plan.finish_reason) == ((), "", FinishReason.LENGTH)


@pytest.mark.parametrize("stop", [" jumps", "mps ov", "s", "x j"])
def test_a_stop_string_ends_the_output_and_is_not_part_of_it(stop: str) -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=100, stop=[stop]))
    assert plan.text == TEXT[: TEXT.index(stop)]
    assert (plan.finish_reason, plan.stop_reason) == (FinishReason.STOP, stop)
    # The token that completes the stop string was generated too.
    assert len("".join(plan.tokens)) >= len(plan.text) + len(stop)
    assert len("".join(plan.tokens[:-1])) < len(plan.text) + len(stop)


def test_of_several_stop_strings_the_one_complete_first_counts() -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=100, stop=["dog", "fox jumps over", "brown"]))
    assert (plan.text, plan.stop_reason) == ("The quick ", "brown")


def test_a_stop_string_within_min_tokens_does_not_count() -> None:
    plan = plan_output(TEXT, OutputLimits(max_tokens=100, min_tokens=7, stop=[" quick", " lazy"]))
    assert plan.stop_reason == " lazy"


def test_min_tokens_goes_on_after_the_text() -> None:
    plan = plan_output("Yes.", OutputLimits(max_tokens=100, min_tokens=50))
    assert len(plan.tokens) == 50
    assert plan.text.startswith("Yes. This is filler sentence 1,")
    assert plan.finish_reason is FinishReason.STOP


def test_ignore_eos_goes_on_to_the_limit() -> None:
    plan = plan_output("Yes.", OutputLimits(max_tokens=500, ignore_eos=True))
    assert (len(plan.tokens), plan.finish_reason) == (500, FinishReason.LENGTH)


@given(
    text=st.text(alphabet="ab c.", max_size=60),
    stop=st.lists(st.text(alphabet="ab c.", min_size=1, max_size=5), max_size=3),
    max_tokens=st.integers(0, 40),
    min_tokens=st.integers(0, 10),
    ignore_eos=st.booleans(),
)
def test_streamed_pieces_never_take_anything_back(
    text: str, stop: list[str], max_tokens: int, min_tokens: int, *, ignore_eos: bool
) -> None:
    limits = OutputLimits(max_tokens=max_tokens, min_tokens=min_tokens, ignore_eos=ignore_eos, stop=stop)
    plan = plan_output(text, limits)
    count = len(plan.tokens)
    assert count <= max_tokens
    assert "".join(plan.delta(k, k + 1) for k in range(count)) == plan.text
    assert plan.shown == sorted(plan.shown)
    # What was shown had all been generated.
    assert all(plan.shown[k] <= len("".join(plan.tokens[:k])) for k in range(count + 1))
    if min_tokens == 0:
        assert not any(one in plan.text for one in stop)
