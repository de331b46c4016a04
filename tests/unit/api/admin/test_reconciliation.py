"""The ledger beside the engines' counters, from an exposition to a verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.admin.reconciliation import (
    Baseline,
    EngineCounters,
    compared,
    counters_in,
    reconciliation_note,
    reconciliation_report,
)
from serving.tools.command_line import InputError

EXPOSITION = """\
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="a"} 100.0
vllm:prompt_tokens_total{engine="1",model_name="a"} 20.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="a"} 30.0
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a"} 1.0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
"""
URL = "http://engine:8001"


def engine(
    prompt: int = 120, completion: int = 30, *, started_s: float | None = 1.7e9, url: str = URL
) -> EngineCounters:
    return EngineCounters(url=url, prompt_tokens=prompt, completion_tokens=completion, busy=0, started_s=started_s)


def work(*, estimated: bool, prompt: int, completion: int) -> dict[str, Any]:
    numbers = {"requests": 1, "prompt_tokens": prompt, "cached_tokens": 0, "completion_tokens": completion}
    return {"upstream": "near", "estimated": estimated, **numbers}


def page(*rows: dict[str, Any], waiting: int | None = 0) -> dict[str, Any]:
    return {"since": "2026-11-22T00:00:00Z", "waiting_rows": waiting, "work": list(rows)}


def test_an_engine_is_summed_up_over_all_of_its_series() -> None:
    found = counters_in(URL, EXPOSITION)
    assert (found.prompt_tokens, found.completion_tokens, found.busy, found.started_s) == (120, 30, 3, 1.7e9)
    without = counters_in(URL, EXPOSITION.partition("# TYPE process")[0])
    assert without.started_s is None


@pytest.mark.parametrize("exposition", ["", "<html>", "up 1.0\n", EXPOSITION.replace("generation", "other")])
def test_what_is_no_engine_is_said(exposition: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        counters_in(URL, exposition)


def test_equal_is_equal_in_both_kinds_of_tokens() -> None:
    rows = (work(estimated=False, prompt=100, completion=25), work(estimated=True, prompt=20, completion=5))
    found = compared([engine(70, 20), engine(50, 10, url="http://other")], page(*rows), settled=True)
    assert found["equal"]
    assert found["ledger"]["estimated"] == {"requests": 1, "prompt_tokens": 20, "completion_tokens": 5}
    assert "The ledger has what the engines did." in reconciliation_report(found)
    assert reconciliation_note(found) == ""


@pytest.mark.parametrize(("prompt", "completion"), [(101, 25), (100, 24), (99, 26)])
def test_a_difference_is_the_engines_minus_the_ledgers(prompt: int, completion: int) -> None:
    found = compared([engine(100, 25)], page(work(estimated=False, prompt=prompt, completion=completion)), settled=True)
    assert not found["equal"]
    assert found["difference"] == {"prompt_tokens": 100 - prompt, "completion_tokens": 25 - completion}
    assert "differ" in reconciliation_report(found)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([work(estimated=False, prompt=101, completion=25)], "The ledger has more than they counted"),
        (
            [work(estimated=False, prompt=80, completion=20), work(estimated=True, prompt=15, completion=0)],
            "Engines did 20 prompt and 5 completion tokens that they reported to nobody; for 1 calls that were cut off",
        ),
        ([work(estimated=False, prompt=90, completion=25)], "No call was billed by an estimate"),
    ],
    ids=["an engine is missing", "calls that were cut off", "failed attempts"],
)
def test_a_difference_comes_with_what_it_is_of(rows: list[dict[str, Any]], why: str) -> None:
    assert why in reconciliation_report(compared([engine(100, 25)], page(*rows), settled=True))


def test_a_reader_is_told_when_it_is_no_last_word() -> None:
    found = compared([engine(), engine(started_s=1.7e9 + 60, url="http://other")], page(), settled=False)
    note = reconciliation_note(found)
    assert "no last word" in note
    assert "not started together" in note


def test_a_baseline_is_written_read_and_taken_off() -> None:
    saved = Baseline(at=datetime(2026, 11, 22, tzinfo=UTC), engines=(engine(100, 10),))
    baseline = Baseline.decoded(saved.encoded())
    assert baseline == saved
    (added,) = baseline.subtracted([engine(150, 11)])
    assert (added.prompt_tokens, added.completion_tokens) == (50, 1)


@pytest.mark.parametrize(
    "now",
    [engine(started_s=1.7e9 + 60), engine(99), engine(url="http://another")],
    ids=["started again", "began at nought", "not in the baseline"],
)
def test_a_baseline_that_does_not_fit_is_refused(now: EngineCounters) -> None:
    baseline = Baseline(at=datetime(2026, 11, 22, tzinfo=UTC), engines=(engine(100, 10),))
    with pytest.raises(InputError):
        baseline.subtracted([now])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"at": 5, "engines": []}', '{"at": "2026", "engines": [{"url": 1}]}']
)
def test_what_is_no_baseline_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Baseline.decoded(text)
