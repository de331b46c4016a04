"""What the four parts are held to, and what their reports show."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures import Verdict
from bench.histograms import Spent
from bench.published import Published
from bench.rag import answers_report, index_report, latency_report, recall_report
from bench.rag.answers import Outcome as Answered
from bench.rag.client import VERSIONS, Answer, Passage
from bench.rag.filling import Filled, Sample, keep, kept
from bench.rag.finsight import DECK, FOLLOW_UPS, QUESTIONS, Asked
from bench.rag.index import EF_SEARCH, Found, Recalled
from bench.rag.latency import EMBEDDER_ALONE, SQL_ALONE, UNSEEN, Kind, Round, degraded
from bench.rag.recall import Outcome, is_right
from bench.rag.servers import workers_with_embedder

ASKED = Asked(
    group=QUESTIONS,
    id="q1",
    question="What was the margin?",
    figure="15.7%",
    source="a.md",
    evidence="The margin was 15.7%.",
)
RIGHT = Passage(chunk_id=1, filename="a.md", text="The margin was 15.7%. Revenue rose.")
SAMPLES = tuple(
    Sample(at_s=second, chunks=second * 120, gateway_bytes=400_000_000, readers_bytes=30_000_000)
    for second in range(100)
)
FILLED = Filled(
    chunks=12_000,
    documents=120,
    neighbour_chunks=240,
    neighbour_documents=3,
    uploads=4,
    took_s=100.0,
    samples=SAMPLES,
    at="2026-11-21 16:00 UTC",
)


def verdicts(published: Published) -> dict[str, Verdict]:
    return {figure.name: figure.verdict for figure in published.report.figures}


def medians(published: Published) -> dict[str, float]:
    return {figure.name: figure.spread.median for figure in published.report.figures}


def rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def test_a_passage_is_right_with_the_figure_and_of_the_right_document() -> None:
    assert is_right(RIGHT, ASKED)
    assert not is_right(replace(RIGHT, filename="b.md"), ASKED)
    assert not is_right(replace(RIGHT, text="The margin was 115.7%."), ASKED)


def found(version: str, rank: int | None, group: str = QUESTIONS) -> Outcome:
    asked = replace(ASKED, group=group)
    return Outcome(version=version, asked=asked, understood="u", rank=rank, evidence_rank=None, first=RIGHT)


def test_recall_only_the_last_version_has_a_goal_and_its_misses_are_named() -> None:
    ranks: Sequence[int | None] = [1, 2, None, 5]
    outcomes = [found(version, rank) for version in VERSIONS for rank in ranks]
    published = recall_report.publish(outcomes, documents=1, chunks=2)
    assert medians(published)["questions (4): recall@5 of v4"] == 0.75
    assert verdicts(published)["questions (4): recall@5 of v4"] is Verdict.FALLS_SHORT
    assert verdicts(published)["questions (4): recall@5 of v1"] is Verdict.NO_GOAL
    assert any("questions q1: `What was the margin?`" in part for part in published.report.parts)
    assert [row["rank"] for row in rows(published.tables["outcomes"])][:4] == ["1", "2", "", "5"]


def test_recall_of_each_group_stands_by_itself() -> None:
    outcomes = [found("v4", 1), found("v4", None, DECK)]
    figures = medians(recall_report.publish(outcomes, documents=1, chunks=2))
    assert figures == {"questions (1): recall@5 of v4": 1.0, "deck (1): recall@5 of v4": 0.0}


def answered(
    text: str, *, cited: Passage | None = RIGHT, cache: str = "off", run: str = "off", group: str = QUESTIONS
) -> Answered:
    answer = Answer(text=text, cited=(cited,) if cited else (), cache=cache, latency_s=0.002)
    return Answered(version="v4", asked=replace(ASKED, group=group), run=run, answer=answer)


GOOD, WRONG = "It was 15.7% [1].", "It was 15.8% [1]."


@pytest.mark.parametrize(
    ("outcome", "right", "cited"),
    [
        (answered(GOOD), 1, 1),
        (answered(GOOD, cited=None), 1, 0),
        (answered(GOOD, cited=replace(RIGHT, filename="b.md")), 1, 0),
        (answered(WRONG), 0, 0),
    ],
)
def test_an_answer_is_held_to_its_figure_and_to_its_citation(outcome: Answered, right: int, cited: int) -> None:
    published = answers_report.publish([outcome], [])
    assert medians(published)["SIMULATED, questions (1): right, v4"] == right
    assert medians(published)["SIMULATED, questions (1): right and cited, v4"] == cited
    short = verdicts(published)["SIMULATED, questions (1): right and cited, v4"]
    assert short is (Verdict.PASS if cited else Verdict.FALLS_SHORT)


def test_answers_of_follow_ups_have_no_goal() -> None:
    published = answers_report.publish([answered(WRONG, group=FOLLOW_UPS)], [])
    assert set(verdicts(published).values()) == {Verdict.NO_GOAL}


def test_a_wrong_hit_falls_short_and_is_the_caches_own_where_the_engine_knew_better() -> None:
    cached = [
        answered(GOOD, cache="miss", run="first"),
        answered(GOOD, cache="exact", run="again"),
        answered(WRONG, cache="canonical", run="again"),
    ]
    overall = "v4: hits (2) with a wrong figure, or without the right citation"
    own = "v4: hits (2) so, where the answer without a cache is right"
    published = answers_report.publish([answered(GOOD)], cached)
    assert (medians(published)[overall], medians(published)[own]) == (1, 1)
    assert verdicts(published)[own] is Verdict.FALLS_SHORT
    published = answers_report.publish([answered(WRONG)], cached)
    assert (medians(published)[overall], medians(published)[own]) == (1, 0)
    assert medians(published)["v4, asked again (2): hits"] == 100


def test_answers_are_called_simulated_wherever_they_stand() -> None:
    published = answers_report.publish([answered(GOOD)], [])
    assert "SIMULATED" in published.report.title
    assert all("SIMULATED" in name for name in [*medians(published), *published.plots])
    assert all(row["simulated"] == "True" for row in rows(published.tables["outcomes"]))


def compared(share: float) -> Found:
    times = dict.fromkeys(EF_SEARCH, 0.001)
    return Found(question="q", platform=share, by_graph=dict.fromkeys(EF_SEARCH, share), graph_s=times, exact_s=0.05)


def test_the_index_is_held_to_its_recall_for_each_tenant() -> None:
    results = [
        Recalled(tenant="bench", chunks=12_000, found=[compared(1.0), compared(0.9)]),
        Recalled(tenant="neighbour", chunks=240, found=[compared(1.0)]),
    ]
    published = index_report.publish(FILLED, results)
    assert verdicts(published)["bench, 12,000 chunks, 2 questions: recall@10 of exact"] is Verdict.FALLS_SHORT
    assert verdicts(published)["neighbour, 240 chunks, 1 questions: recall@10 of exact"] is Verdict.PASS
    assert len(rows(published.tables["recall"])) == 3
    assert len(published.plots) == 3


def test_filling_is_held_to_its_pace_and_to_flat_memory() -> None:
    steady = index_report.publish(FILLED, [])
    assert verdicts(steady) == {"ingestion": Verdict.PASS, "gateway's memory, last tenth / second": Verdict.PASS}
    growing = tuple(replace(one, gateway_bytes=one.gateway_bytes + 1_000_000 * one.chunks // 120) for one in SAMPLES)
    slow = index_report.publish(replace(FILLED, samples=growing, took_s=200), [])
    assert set(verdicts(slow).values()) == {Verdict.FALLS_SHORT}


def test_too_short_a_filling_says_nothing_of_memory() -> None:
    short = replace(FILLED, samples=SAMPLES[:9])
    assert index_report.windows(short.samples) == []
    assert "gateway's memory, last tenth / second" not in verdicts(index_report.publish(short, []))


def test_what_was_filled_is_used_again_if_it_is_enough(tmp_path: Path) -> None:
    assert kept(tmp_path, 10) is None
    keep(tmp_path, FILLED)
    assert kept(tmp_path, 12_000) == FILLED
    assert kept(tmp_path, 12_001) is None
    keep(tmp_path, replace(FILLED, library=0))
    assert kept(tmp_path, 10) is None
    (record,) = tmp_path.iterdir()
    for damaged in ("", "{}", '{"samples": [], "chunks": 99}'):
        record.write_text(damaged, encoding="utf-8")
        assert kept(tmp_path, 10) is None


def timed(milliseconds: float, *, late: int = 0, offered: float | None = None) -> Round:
    steps = {"embed": Spent(count=10, seconds=0.02), "search": Spent(count=10, seconds=0.01)}
    return Round(
        latencies_s=[milliseconds / 1e3] * 10,
        answers_per_s=100.0,
        offered_per_s=offered,
        steps=steps,
        degraded=late,
        gateway_cpu_s=0.05,
    )


def test_latency_at_sixteen_is_held_to_the_goals_and_late_parts_count() -> None:
    kinds = {
        Kind(what="v4", stream=UNSEEN, connections=16): [timed(9), timed(9.5)],
        Kind(what="v4", stream=UNSEEN, connections=1): [timed(100)],
        Kind(what="v1", stream=UNSEEN, connections=16): [timed(41, late=1)],
        Kind(what="v4", stream=UNSEEN, share=0.25): [timed(5, offered=25)],
        Kind(what=EMBEDDER_ALONE, stream=UNSEEN, connections=16): [timed(50)],
        Kind(what=SQL_ALONE, stream=UNSEEN, connections=16): [timed(50)],
    }
    published = latency_report.publish(kinds, FILLED, seconds=1)
    assert verdicts(published) == {
        "v4, unseen, 16 at a time: p50": Verdict.PASS,
        "v4, unseen, 16 at a time: p99": Verdict.PASS,
        "v1, unseen, 16 at a time: p50": Verdict.FALLS_SHORT,
        "v1, unseen, 16 at a time: p99": Verdict.FALLS_SHORT,
        "answers that a part was left out of": Verdict.FALLS_SHORT,
    }
    assert len(rows(published.tables["rounds"])) == 7
    assert all(png.startswith(b"\x89PNG") for png in published.plots.values())


def test_steps_and_what_is_left_make_up_the_latency() -> None:
    means = latency_report.step_means([timed(9)])
    assert means == {
        "embed": pytest.approx(2),
        "search": pytest.approx(1),
        "rerank": 0,
        "rest": pytest.approx(6),
    }


def test_the_gateways_metrics_are_read_whatever_their_labels() -> None:
    exposition = (
        'gateway_rag_degraded_total{part="embedder"} 3.0\ngateway_rag_degraded_total{part="rerank"} 1.0\n'
        'gateway_rag_degraded_created{part="embedder"} 9.0\ngateway_embedder_up 2.0\n'
    )
    assert degraded(exposition) == 4
    assert workers_with_embedder(exposition) == 2
    assert degraded("") == workers_with_embedder("") == 0
