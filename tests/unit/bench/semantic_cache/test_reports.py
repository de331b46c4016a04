"""What the four parts are held to, what their reports show, and what they leave on disk."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest

from bench.figures import Figure, Verdict
from bench.histograms import Spent
from bench.machine import Machine
from bench.published import Published
from bench.semantic_cache import isolation_report, latency_report, pairs_report, stream_report
from bench.semantic_cache.footprint import Footprint
from bench.semantic_cache.intents import Intent
from bench.semantic_cache.isolation import Expiry, Flights, Fuzzed
from bench.semantic_cache.latency import Level, Result, Round
from bench.semantic_cache.pairs import Outcome, Pair
from bench.semantic_cache.stream import Outcome as Asked
from bench.semantic_cache.timeline import Question, Traffic

WHEN = dt.datetime(2026, 11, 21, 16, 0, tzinfo=dt.UTC)
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


def verdicts(published: Published) -> dict[str, Verdict]:
    return {figure.name: figure.verdict for figure in published.report.figures}


def medians(published: Published) -> dict[str, float]:
    return {figure.name: figure.spread.median for figure in published.report.figures}


def paired(*, same: bool, tier: str, kind: str = "year") -> Outcome:
    return Outcome(pair=Pair(same=same, kind=kind, a=f"{kind} a", b=f"{kind} b"), tier=tier)


def test_pairs_one_wrong_hit_falls_short_and_is_named() -> None:
    right = [paired(same=True, tier="canonical"), paired(same=True, tier="semantic"), paired(same=True, tier="miss")]
    held = pairs_report.publish({("redis", "own"): [*right, paired(same=False, tier="miss")]})
    assert set(verdicts(held).values()) == {Verdict.PASS}
    assert medians(held)["own, redis: hits among 3 rephrased questions"] == pytest.approx(200 / 3)
    broken = pairs_report.publish({("redis", "own"): [*right, paired(same=False, tier="exact", kind="unit")]})
    assert verdicts(broken)["own, redis: wrong hits among 1 hard negatives"] is Verdict.FALLS_SHORT
    assert any("`unit a` / `unit b`" in part for part in broken.report.parts)


def asked(*, tier: str, repeat: bool, is_wrong: bool = False, is_stale: bool = False, cacheable: bool = True) -> Asked:
    question = Question(at_s=60.0, intent=Intent("i", ("x",)), text="x", cacheable=cacheable, repeat=repeat)
    return Asked(
        question=question,
        tier=tier,
        answered="y",
        is_wrong=is_wrong,
        is_stale=is_stale,
        age_s=1.0,
        latency_s=0.002,
    )


def test_stream_hits_are_held_against_the_oracle() -> None:
    outcomes = [asked(tier="miss", repeat=False), *[asked(tier="exact", repeat=True)] * 3]
    outcomes += [asked(tier="miss", repeat=True), asked(tier="bypass", repeat=False, cacheable=False)]
    published = stream_report.publish({"redis": outcomes}, Traffic(), speed=360)
    found = medians(published)
    assert found["redis: hits of cacheable questions"] == pytest.approx(60)
    assert found["redis: repeats that the oracle knows"] == pytest.approx(80)
    assert found["redis: hits / the oracle's repeats"] == pytest.approx(0.75)
    assert Verdict.FALLS_SHORT not in verdicts(published).values()


@pytest.mark.parametrize(
    ("bad", "figure"),
    [
        (asked(tier="semantic", repeat=False, is_wrong=True), "redis: wrong hits of all hits"),
        (asked(tier="exact", repeat=False, is_stale=True), "redis: hits on answers past their time"),
        (asked(tier="exact", repeat=False, cacheable=False), "redis: hits of questions that ask for another draw"),
    ],
)
def test_stream_what_must_not_be_falls_short(bad: Asked, figure: str) -> None:
    published = stream_report.publish({"redis": [asked(tier="exact", repeat=True), bad]}, Traffic(), speed=360)
    assert verdicts(published)[figure] is Verdict.FALLS_SHORT


def level(entries: int, *, semantic_ms: float, miss_ms: float) -> Level:
    tiers = {"off": 0.4, "exact": 0.9, "canonical": 1.5, "semantic": semantic_ms, "miss": miss_ms}
    one = Round(latencies_s={tier: [ms / 1e3] * 3 for tier, ms in tiers.items()})
    return Level(
        entries=entries,
        rounds=[one, one],
        footprint=Footprint(redis=1_000 + 2_000 * entries, postgres=500 * entries),
        look_ups={"exact": Spent(count=6, seconds=0.003)},
        parts={"embedder": Spent(count=10, seconds=0.0217)},
        filled_per_s=300.0,
    )


def test_latency_is_held_to_the_goals_of_its_tier() -> None:
    levels = [level(10_000, semantic_ms=4, miss_ms=5), level(100_000, semantic_ms=6, miss_ms=6)]
    result = Result(backend="redis", empty=Footprint(redis=1_000, postgres=0), levels=levels)
    found = verdicts(latency_report.publish([result], rounds=2, questions=3))
    assert found["redis, 10,000 entries: semantic hit, p50"] is Verdict.PASS
    assert found["redis, 100,000 entries: semantic hit, p50"] is Verdict.NO_GOAL
    assert found["redis, 10,000 entries: cost of a miss, p50 - p50 with the cache off"] is Verdict.PASS
    assert found["redis, 100,000 entries: cost of a miss, p50 - p50 with the cache off"] is Verdict.FALLS_SHORT
    assert found["redis, 100,000 entries: exact hit, p50"] is Verdict.PASS


def test_memory_is_told_for_each_entry() -> None:
    result = Result(
        backend="redis", empty=Footprint(redis=1_000, postgres=0), levels=[level(1_000, semantic_ms=4, miss_ms=5)]
    )
    published = latency_report.publish([result], rounds=2, questions=3)
    assert any("2,000" in part and "500" in part for part in published.report.parts)
    assert any("embedder (ms, mean)" in part and "2.17" in part for part in published.report.parts)


def held(*, cross_hits: tuple[str, ...] = (), late_hits: int = 0, calls: int = 1) -> Published:
    result = isolation_report.Result(
        fuzzed=Fuzzed(requests=10_000, scopes=6_000, own_hits=2_000, cross_hits=cross_hits),
        expiry=Expiry(ttl_s=2, hits=500, late_hits=late_hits, oldest_s=1.9, renewed=24, questions=24),
        flights=Flights(concurrent=100, engine_calls=[1, calls, calls], answered=[100, 100, 100]),
    )
    return isolation_report.publish({"redis": result})


@pytest.mark.parametrize(
    ("published", "short"),
    [(held(), 0), (held(cross_hits=("one",)), 1), (held(late_hits=1), 1), (held(calls=2), 1)],
)
def test_isolation_nothing_may_slip_through(published: Published, short: int) -> None:
    assert list(verdicts(published).values()).count(Verdict.FALLS_SHORT) == short


def test_everything_of_a_part_is_written_under_one_stem(tmp_path: Path) -> None:
    published = pairs_report.publish({("redis", "own"): [paired(same=True, tier="canonical")]})
    path = published.write(tmp_path, "semantic-cache-pairs", machine=MACHINE, when=WHEN)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "semantic-cache-pairs-2026-11-21-1.png",
        "semantic-cache-pairs-2026-11-21-outcomes.csv",
        "semantic-cache-pairs-2026-11-21.json",
        "semantic-cache-pairs-2026-11-21.md",
    ]
    text = path.read_text(encoding="utf-8")
    assert "](semantic-cache-pairs-2026-11-21-1.png)" in text
    assert "Some CPU" in text
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["figures"]
    with (tmp_path / "semantic-cache-pairs-2026-11-21-outcomes.csv").open(encoding="utf-8") as file:
        assert next(iter(csv.DictReader(file)))["tier"] == "canonical"
    assert (tmp_path / "semantic-cache-pairs-2026-11-21-1.png").read_bytes().startswith(b"\x89PNG")


def test_every_figure_has_a_sample() -> None:
    figures: list[Figure] = list(held().report.figures)
    assert all(figure.samples for figure in figures)
