"""What the scheduler refuses, and how a sequence leaves it early."""

from __future__ import annotations

import pytest

from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.sequence import FinishReason, Sequence
from serving.mock_llm.core.timing import CostModel

COSTS = CostModel()


def sequence(prompt: int, output: int) -> Sequence:
    return Sequence(prompt=("word",) * prompt, output=("said",) * output)


def test_an_aborted_sequence_frees_its_blocks_at_once_and_gets_nothing_more() -> None:
    scheduler = Scheduler(config=EngineConfig(), costs=COSTS)
    one = sequence(100, 50)
    scheduler.add(one, 0.0)
    step = scheduler.begin_step(0.0)
    assert step is not None
    assert scheduler.pool.usage > 0
    assert scheduler.abort(one, 0.01)
    assert scheduler.pool.usage == 0.0
    outcome = scheduler.finish_step(step, 0.03)
    assert (outcome.advanced, outcome.finished) == ([], [])
    assert one.finish_reason is FinishReason.ABORT
    assert not scheduler.abort(one, 0.04)
    assert scheduler.begin_step(0.05) is None


def test_a_sequence_that_can_never_fit_is_refused() -> None:
    scheduler = Scheduler(config=EngineConfig(max_model_len=32), costs=COSTS)
    with pytest.raises(ValueError, match="1 to 32 tokens"):
        scheduler.add(sequence(30, 3), 0.0)
    with pytest.raises(ValueError, match="1 to 32 tokens"):
        scheduler.add(sequence(0, 3), 0.0)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"max_model_len": 8192, "num_gpu_blocks": 16}, "max_model_len 8192 does not fit into the KV cache"),
        ({"max_num_seqs": 0}, "max_num_seqs must be at least 1"),
    ],
)
def test_contradicting_settings_are_refused(settings_: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EngineConfig(**settings_)  # type: ignore[arg-type]  # the table holds only whole numbers
