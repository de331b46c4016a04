from __future__ import annotations

from typing import Any

import pytest

from serving.tools.validation.outcome import CheckFailed
from serving.tools.validation.stream_checks import StreamSeen, held_back, verdict

USAGE = {"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25}


def seen(*outputs_s: float, **changes: Any) -> StreamSeen:
    fields: dict[str, Any] = {"usage": USAGE, "finish_reason": "stop", "done": True, **changes}
    return StreamSeen(started_s=0.0, outputs_s=list(outputs_s), **fields)


EVENLY = [0.1 + number * 0.025 for number in range(20)]
TOGETHER = [0.6 + number * 0.0001 for number in range(20)]


def test_what_arrives_as_it_is_made_passes() -> None:
    assert verdict(seen(*EVENLY)) == "5 + 20 tokens"


def test_what_arrives_all_at_once_was_held_back() -> None:
    assert held_back(seen(*TOGETHER))
    with pytest.raises(CheckFailed, match=r"All 20 events came together, 0\.60 s after") as raised:
        verdict(seen(*TOGETHER))
    assert "proxy_buffering off" in raised.value.hint


@pytest.mark.parametrize(
    "outputs_s",
    [[0.02 + number * 1e-5 for number in range(20)], [0.6, 0.6001], [0.5 + number * 0.01 for number in range(20)]],
    ids=["too quick to tell", "too few to tell", "slow to begin"],
)
def test_what_may_have_been_made_so_is_not_called_held_back(outputs_s: list[float]) -> None:
    assert not held_back(seen(*outputs_s))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (seen(*EVENLY, done=False), r"without \[DONE\]"),
        (seen(), "no output"),
        (seen(*EVENLY, finish_reason=None), "without a finish reason"),
        (seen(*EVENLY, usage=None), "The usage is None"),
        (seen(*EVENLY, usage={"prompt_tokens": 5, "completion_tokens": 0}), "not counts of tokens above 0"),
    ],
)
def test_what_is_not_whole_is_named(stream: StreamSeen, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        verdict(stream)
