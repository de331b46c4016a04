"""What caches are filled with, scopes that may not share, pairs from a file, and the gateway's own figures."""

from __future__ import annotations

import json
import textwrap
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from bench.histograms import Spent, spent
from bench.load import LoadError
from bench.semantic_cache import pairs
from bench.semantic_cache.client import Answer
from bench.semantic_cache.filling import companies, fillers, probes
from bench.semantic_cache.metrics import LOOK_UPS, PARTS, errors
from bench.semantic_cache.pairs import Outcome, Pair
from bench.semantic_cache.scopes import SYSTEM, Scope, Scopes
from bench.semantic_cache.servers import OTHER_KEYS


def test_a_cache_can_be_filled_without_repeating_a_question() -> None:
    assert len(set(companies())) > 80_000
    asked = list(islice(fillers(), 200_000))
    assert len(set(asked)) == len(asked)


def test_probes_are_asked_by_nobody_else() -> None:
    found = list(islice(probes(), 5_000))
    wordings = [text for probe in found for text in (probe.stored, probe.absent, *probe.rephrased)]
    assert len(set(wordings)) == len(wordings)
    assert not set(wordings) & set(islice(fillers(), 100_000))


def test_scopes_never_are_the_home_scope_and_repeat_now_and_then() -> None:
    scopes = Scopes(Random(7))  # noqa: S311  # repeatable requests, not secrets
    names = [scopes.draw().name for _ in range(5_000)]
    assert Scope.home().name not in names
    assert 2_500 < len(set(names)) < 5_000


def test_two_keys_of_a_tenant_are_one_scope() -> None:
    first, second = OTHER_KEYS
    assert Scope(key=first).name == Scope(key=second).name != Scope.home().name


def test_a_scope_says_everything_but_the_question() -> None:
    scope = Scope(system="other", earlier=({"role": "user", "content": "before"},), fields={"temperature": 0.2})
    body = scope.body("What now?")
    assert body["messages"] == [
        {"role": "system", "content": "other"},
        {"role": "user", "content": "before"},
        {"role": "user", "content": "What now?"},
    ]
    assert body["temperature"] == 0.2
    assert Scope.home().body("What now?")["messages"][0]["content"] == SYSTEM


def test_pairs_are_read_from_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [{"label": 1, "class": "terse", "a": "x", "b": "y"}, {"label": 0, "class": "year", "a": "p", "b": "q"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert pairs.read_pairs(path) == [
        Pair(same=True, kind="terse", a="x", b="y"),
        Pair(same=False, kind="year", a="p", b="q"),
    ]


@pytest.mark.parametrize(
    ("same", "tier", "is_hit", "is_wrong"),
    [
        (True, "canonical", True, False),
        (False, "semantic", True, True),
        (False, "miss", False, False),
        (True, "bypass", False, False),
    ],
)
def test_only_a_hit_of_a_hard_negative_is_wrong(tier: str, *, same: bool, is_hit: bool, is_wrong: bool) -> None:
    outcome = Outcome(pair=Pair(same=same, kind="year", a="a", b="b"), tier=tier)
    assert (outcome.is_hit, outcome.is_wrong) == (is_hit, is_wrong)


def answer(tier: str, *, call: int, question: str) -> Answer:
    return Answer(tier=tier, call=call, question=question, engine_s=0, sent_s=0, received_s=0, latency_s=0)


def test_a_header_that_belies_the_answer_ends_the_run() -> None:
    pair = Pair(same=True, kind="terse", a="a", b="b")
    first = answer("miss", call=1, question="a")
    pairs.check_second(pair, first, answer("semantic", call=1, question="a"))
    pairs.check_second(pair, first, answer("miss", call=2, question="b"))
    with pytest.raises(LoadError, match="not the answer to the pair's first question"):
        pairs.check_second(pair, first, answer("semantic", call=2, question="b"))
    with pytest.raises(LoadError, match="not the engine's answer to the question asked"):
        pairs.check_second(pair, first, answer("miss", call=1, question="a"))
    with pytest.raises(LoadError, match="was not answered by the engine"):
        pairs.check_firsts([answer("exact", call=1, question="a")])
    pairs.check_stored([answer("exact", call=1, question="a")], [first])
    for lost in (answer("miss", call=3, question="a"), answer("exact", call=3, question="a")):
        with pytest.raises(LoadError, match="was not there any more"):
            pairs.check_stored([lost], [first])


def test_the_gateways_own_figures_are_the_growth_of_its_metrics() -> None:
    before = (
        'gateway_cache_lookup_seconds_sum{status="miss"} 0.1\ngateway_cache_lookup_seconds_count{status="miss"} 50.0\n'
    )
    after = textwrap.dedent(
        """\
        # HELP gateway_cache_lookup_seconds What a look-up took.
        gateway_cache_lookup_seconds_bucket{le="0.001",status="exact"} 3.0
        gateway_cache_lookup_seconds_sum{status="exact"} 0.004
        gateway_cache_lookup_seconds_count{status="exact"} 4.0
        gateway_cache_lookup_seconds_sum{status="miss"} 0.5
        gateway_cache_lookup_seconds_count{status="miss"} 100.0
        gateway_cache_part_seconds_sum{part="embedder"} 0.2
        gateway_cache_part_seconds_count{part="embedder"} 100.0
        """
    )
    found = spent(LOOK_UPS, before, after)
    assert found == {"exact": Spent(count=4, seconds=0.004), "miss": Spent(count=50, seconds=0.4)}
    assert found["miss"].mean_ms == pytest.approx(8)
    assert spent(PARTS, before, after)["embedder"].mean_ms == pytest.approx(2)
    assert Spent(count=0, seconds=0).mean_ms is None
    assert spent(LOOK_UPS, "", "") == {}


def test_parts_that_gave_up_are_counted() -> None:
    text = 'gateway_cache_errors_total{part="index"} 3.0\ngateway_cache_errors_total{part="store"} 0.0\n'
    assert errors(text) == {"index": 3}
    assert errors("") == {}
