from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest

from bench.figures import Figure, Goal, Verdict, all_pass
from bench.machine import Machine
from bench.overhead import report
from bench.overhead.measure import Effort, MemoryResult, Round, StreamsResult
from bench.overhead.run import RunResult

WHEN = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
EFFORT = Effort(
    rounds=2,
    seconds=3,
    streams=1000,
    stream_frames=30,
    stream_interval_s=0.2,
    memory_requests=200_000,
    memory_warm_up=20_000,
)
MACHINE = Machine(
    cpu="Some CPU",
    cores=2,
    memory_gib=24,
    kernel="6.1",
    python="3.11.7",
    packages={"uvicorn": "0.54"},
    load_average=0.1,
    server_cores=(0,),
    load_cores=(1,),
)


def one_round(requests_per_s: float, p50_ms: float, first_byte_ms: float) -> Round:
    return Round(
        requests_per_s=requests_per_s,
        p50_ms=p50_ms,
        first_byte_ms=first_byte_ms,
        cpu_us=1e6 / requests_per_s,
        server_busy=1,
        load_busy=0.25,
    )


def streams(**changes: object) -> StreamsResult:
    fields = {
        "streams": 1000,
        "whole": 1000,
        "at_once": 1000,
        "frames": 30_000,
        "seconds": 6.1,
        "server_busy": 0.8,
        "kb_per_stream": 61.5,
        "problems": (),
    }
    return StreamsResult(**{**fields, **changes})  # type: ignore[arg-type]  # the fields above, some changed


@pytest.fixture
def result() -> RunResult:
    rounds = {
        "direct": [one_round(20_000, 0.05, 0.1), one_round(30_000, 0.05, 0.1)],
        "pass-through": [one_round(4_000, 0.8, 1), one_round(8_000, 0.8, 1)],
        "litellm": [one_round(100, 20, 25), one_round(50, 20, 25)],
        "gateway": [one_round(2_400, 1.25, 2.6), one_round(4_800, 1.35, 2.8)],
    }
    memory = MemoryResult(requests=200_000, requests_per_s=2_000, resident_mb=(100.0, 104.0, 102.0))
    return RunResult(rounds=rounds, streams={"gateway": streams()}, memory=memory)


def by_name(result: RunResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in report.figures(result, connections=32)}


def test_ratios_and_differences_are_taken_round_by_round(result: RunResult) -> None:
    found = by_name(result)
    assert found["requests/s at 32 connections, gateway / pass-through"].samples == pytest.approx((0.6, 0.6))
    assert found["requests/s at 32 connections, gateway / litellm"].samples == pytest.approx((24, 96))
    assert found["p50 added at 1 connection, gateway - direct"].samples == pytest.approx((1.2, 1.3))
    assert found["p50 time to first byte added, gateway - direct"].samples == pytest.approx((2.5, 2.7))
    assert found["resident memory over 200,000 requests, largest change"].samples == pytest.approx((4.0,))


def test_each_figure_is_held_to_its_goal(result: RunResult) -> None:
    verdicts = {figure.verdict for name, figure in by_name(result).items() if "first byte" not in name}
    assert verdicts == {Verdict.PASS}
    assert by_name(result)["p50 time to first byte added, gateway - direct"].verdict is Verdict.FALLS_SHORT
    assert not all_pass(report.figures(result, connections=32))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"whole": 999}, "of them whole: every frame in order, [DONE]"),
        ({"at_once": 999}, "streams open at once in one worker"),
        ({"kb_per_stream": 80.1}, "resident memory per open stream"),
    ],
)
def test_one_lost_stream_or_one_kilobyte_too_many_falls_short(
    result: RunResult, changes: dict[str, object], name: str
) -> None:
    worse = RunResult(rounds=result.rounds, streams={"gateway": streams(**changes)}, memory=None)
    assert by_name(worse)[name].verdict is Verdict.FALLS_SHORT


def test_shrinking_memory_is_not_flat_either(result: RunResult) -> None:
    memory = MemoryResult(requests=9, requests_per_s=1, resident_mb=(100.0, 94.0, 101.0))
    figure = by_name(RunResult(rounds=result.rounds, streams={}, memory=memory))
    assert figure["resident memory over 9 requests, largest change"].verdict is Verdict.FALLS_SHORT


def test_skipped_servers_and_phases_have_no_figures(result: RunResult) -> None:
    kept = {name: samples for name, samples in result.rounds.items() if name not in {"litellm", "gateway"}}
    assert report.figures(RunResult(rounds=kept, streams={}, memory=None), connections=32) == []
    kept["gateway"] = result.rounds["gateway"]
    names = [f.name for f in report.figures(RunResult(rounds=kept, streams={}, memory=None), connections=32)]
    assert len(names) == 3
    assert not any("litellm" in name for name in names)


def test_markdown_names_machine_date_servers_and_verdicts(result: RunResult) -> None:
    problem = {"gateway": streams(whole=998, problems=("2 frames arrived of 30",))}
    text = report.markdown(
        RunResult(rounds=result.rounds, streams=problem, memory=result.memory),
        effort=EFFORT,
        machine=MACHINE,
        when=WHEN,
    )
    for words in (
        "2026-11-21 09:30 UTC. Some CPU, 2 cores, 24 GiB; Linux 6.1; Python 3.11.7; uvicorn 0.54.",
        "| pass-through | 6,000 (4,000 - 8,000)",
        "falls short",
        "- gateway: 2 frames arrived of 30",
        "MB resident along 200,000 requests: 100.0, 104.0, 102.0",
    ):
        assert words in text


def test_a_run_on_a_busy_machine_says_so(result: RunResult) -> None:
    def text() -> str:
        return report.markdown(result, effort=EFFORT, machine=MACHINE, when=WHEN)

    assert "Disturbed" not in text()
    half = [dataclasses.replace(sample, server_busy=0.5) for sample in result.rounds["gateway"]]
    # Directly the upstream shares its core with the load generator, which is how it is meant to be.
    result.rounds.update(gateway=half, direct=[dataclasses.replace(result.rounds["direct"][0], server_busy=0.5)] * 2)
    assert "**Disturbed:** gateway got less than 90% of a core" in text()


def test_document_keeps_every_sample(result: RunResult) -> None:
    body = json.loads(report.document(result, effort=EFFORT, machine=MACHINE, when=WHEN))
    assert body["date"] == "2026-11-21T09:30:00+00:00"
    assert body["machine"]["cpu"] == "Some CPU"
    assert [sample["requests_per_s"] for sample in body["rounds"]["gateway"]] == [2_400, 4_800]
    ratio = body["figures"][0]
    assert (ratio["median"], ratio["verdict"], ratio["goal"]) == (pytest.approx(0.6), "pass", ">= 0.5")


def test_goals_are_the_published_ones(result: RunResult) -> None:
    goals = [str(figure.goal) for figure in report.figures(result, connections=32)]
    assert goals == [">= 0.5", ">= 20", "<= 1.5", "<= 2", ">= 1000", ">= 1000", "<= 80", ">= -5 and <= 5"]
    assert Goal(at_least=0.5) == report.figures(result, connections=32)[0].goal
