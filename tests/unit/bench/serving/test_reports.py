"""What the three parts are held to, and what their reports show."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest

from bench.figures import Figure, Verdict, all_pass
from bench.machine import Machine
from bench.report import Report
from bench.serving import chain, chain_report, hop, hop_report, spike_report
from bench.serving.effort import Effort
from bench.serving.spike import Answer, Phase, Result, Sample

WHEN = dt.datetime(2026, 11, 21, 13, 0, tzinfo=dt.UTC)
MACHINE = Machine(
    cpu="Some CPU",
    cores=2,
    memory_gib=24,
    kernel="6.1",
    python="3.11.7",
    packages={"ray": "2.60.0"},
    load_average=0.1,
    server_cores=(0,),
    load_cores=(1,),
)
EFFORT = Effort(rounds=2, seconds=3)


def hop_round(requests_per_s: float, p50_ms: float) -> hop.Round:
    return hop.Round(
        requests_per_s=requests_per_s,
        p50_ms=p50_ms,
        p99_ms=9,
        first_byte_ms=p50_ms,
        gap_p50_ms=5,
        gap_p99_ms=6,
        cpu_us=100,
        server_busy=0.9,
    )


def chain_round(first_token_ms: float, tokens_per_s: float) -> chain.Round:
    return chain.Round(
        first_token_ms_1=first_token_ms,
        gap_ms_1=20,
        first_token_ms_16=100,
        gap_ms_16=31,
        gap_p99_ms_16=60,
        tokens_per_s=tokens_per_s,
        engine_busy=1,
        way_busy=0.2,
        load_busy=0.1,
        idle_engine_busy=0,
    )


HOPS = {
    hop.DIRECT: [hop_round(4_000, 0.2), hop_round(5_000, 0.2)],
    hop.HAPROXY: [hop_round(2_000, 0.8), hop_round(3_000, 0.9)],
    hop.STOCK: [hop_round(200, 9), hop_round(150, 9)],
}
CHAINS = {
    chain.BARE: [chain_round(40, 400), chain_round(50, 500)],
    chain.INGRESS: [chain_round(43, 400), chain_round(53, 500)],
    chain.CHAIN: [chain_round(44, 390), chain_round(56, 450)],
}


def named(figures: list[Figure], part: str) -> Figure:
    (found,) = [figure for figure in figures if part in figure.name]
    return found


def test_hop_is_held_to_what_ray_adds_and_to_its_stock_proxy() -> None:
    figures = hop_report.figures(HOPS)
    added, faster = named(figures, "p50 added"), named(figures, "stock proxy")
    assert added.samples == pytest.approx((0.6, 0.7))
    assert faster.samples == pytest.approx((10, 20))
    assert [str(figure.goal) for figure in figures if figure.goal] == ["<= 1.5", ">= 10"]
    assert all_pass(figures)


def test_chain_is_held_to_what_it_adds_and_takes_for_each_model() -> None:
    figures = chain_report.figures(CHAINS, model=chain.TINY)
    assert named(figures, "1 at once").samples == pytest.approx((4, 6))
    assert named(figures, "tokens/s").samples == pytest.approx((0.975, 0.9))
    assert named(figures, "tokens/s").verdict is Verdict.FALLS_SHORT
    assert [str(figure.goal) for figure in figures] == ["<= 5", "<= 5", ">= 0.95"]
    assert all(figure.name.startswith("tiny: ") for figure in figures)


def spike_result(**changes: object) -> Result:
    samples = [(0, 1, 1), (9, 1, 1), (10, 40, 1), (17, 40, 4), (60, 3, 4), (90, 3, 1)]
    result = Result(
        phases=(
            Phase(name="before", users=1, seconds=10),
            Phase(name="spike", users=40, seconds=50),
            Phase(name="after", users=3, seconds=30),
        ),
        samples=tuple(Sample(at_s=at, users=users, replicas=replicas) for at, users, replicas in samples),
        answers=tuple(
            Answer(phase=phase, started_s=at, ended_s=at + 3, first_token_s=0.05, longest_gap_s=0.1)
            for phase, at in (("before", 1), ("spike", 20), ("spike", 21), ("after", 70))
        ),
        failed_at_s=(),
        problems=(),
    )
    return dataclasses.replace(result, **changes)  # type: ignore[arg-type]  # fields of the dataclass


def test_a_spike_that_all_goes_well_with_passes() -> None:
    figures = spike_report.figures(spike_result())
    assert all_pass(figures)
    assert named(figures, "from the spike").samples == (7,)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"failed_at_s": (62.0,), "problems": ("status 503",)}, "failed"),
        ({"samples": (Sample(at_s=0, users=40, replicas=3), Sample(at_s=9, users=3, replicas=1))}, "most replicas"),
        ({"samples": (Sample(at_s=0, users=40, replicas=4), Sample(at_s=9, users=3, replicas=2))}, "at the end"),
    ],
)
def test_a_spike_that_something_goes_wrong_with_falls_short(changes: dict[str, object], part: str) -> None:
    figures = spike_report.figures(spike_result(**changes))
    assert named(figures, part).verdict is Verdict.FALLS_SHORT
    assert sum(figure.verdict is Verdict.FALLS_SHORT for figure in figures) == 1


def test_failures_are_shown_with_their_time() -> None:
    text = spike_report.report(spike_result(failed_at_s=(62.04,), problems=("status 503: busy",))).markdown(
        MACHINE, WHEN
    )
    assert "Sent 62.0 s after the start" in text
    assert "- status 503: busy" in text


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (hop_report.report(HOPS, effort=EFFORT), ["| ray, haproxy ", "2 interleaved rounds of 3 s"]),
        (chain_report.report({chain.SIZED: CHAINS}, effort=EFFORT), ["random weights", "6 layers", "CPU build"]),
        (spike_report.report(spike_result()), ["replicas 4 │", "| spike "]),
    ],
    ids=["hop", "chain", "spike"],
)
def test_reports_name_machine_and_date_and_keep_every_sample(report: Report, words: list[str]) -> None:
    text = report.markdown(MACHINE, WHEN)
    for word in ("2026-11-21 13:00 UTC. Some CPU, 2 cores", "ray 2.60.0", "| verdict", *words):
        assert word in text
    body = json.loads(report.document(MACHINE, WHEN))
    assert body["date"] == "2026-11-21T13:00:00+00:00"
    assert [figure["name"] for figure in body["figures"]] == [figure.name for figure in report.figures]
    assert body["raw"]
