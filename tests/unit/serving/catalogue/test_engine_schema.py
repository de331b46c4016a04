"""The `engine:` of an upstream: what it becomes, and what is told of one that is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.catalogue.base import CatalogueError, EngineSpec
from serving.catalogue.load import parse_catalogue

HEAD = """\
models:
  - name: fast
    version: v1
    kind: chat
    context_tokens: 8192
    price: {prefill: 0, decode: 0, cached: 0}
    upstreams:
      - name: gpu
        base_url: http://host/v1
"""
ENGINE = """\
        engine:
          kind: vllm
          preset: mistral-7b-a10g
          model: /models/mistral
          set: {max_num_seqs: 64, lora_adapters: [{name: legal, path: /adapters/legal}]}
          autoscaling: {min_replicas: 2, clock_start: "2026-11-23T10:00:00-05:00"}
"""
SECOND = """\
  - name: slow
    version: v1
    kind: chat
    context_tokens: 8192
    price: {prefill: 0, decode: 0, cached: 0}
    upstreams:
      - name: gpu
        base_url: http://host/v1
        engine: {kind: mock}
"""


@pytest.fixture
def told() -> Callable[[str], list[str]]:
    def problems(text: str) -> list[str]:
        with pytest.raises(CatalogueError) as raised:
            parse_catalogue(text.encode(), file="models.yaml", variables={})
        return list(raised.value.problems)

    return problems


def test_an_engine_is_read() -> None:
    catalogue = parse_catalogue((HEAD + ENGINE).encode(), file="models.yaml", variables={})
    assert catalogue.models[0].upstreams[0].engine == EngineSpec(
        kind="vllm",
        preset="mistral-7b-a10g",
        model="/models/mistral",
        set={"max_num_seqs": 64, "lora_adapters": [{"name": "legal", "path": "/adapters/legal"}]},
        autoscaling={"min_replicas": 2, "clock_start": "2026-11-23T10:00:00-05:00"},
    )


def test_without_one_the_server_runs_anyway() -> None:
    catalogue = parse_catalogue(HEAD.encode(), file="models.yaml", variables={})
    assert catalogue.models[0].upstreams[0].engine is None


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        ("kind: vllm", "kind: tgi", 11, "kind", "must be 'mock' or 'vllm'"),
        ("mistral-7b-a10g", "mistral", 12, "preset", "must be one of mistral-7b-a10g, "),
        ("          preset: mistral-7b-a10g\n", "", 10, "preset", "must be one of mistral-7b-a10g, "),
        ("max_num_seqs: 64", "max_num_seqs: 0", 14, "set", "max_num_seqs"),
        ("max_num_seqs", "max_seqs", 14, "set", "There is no field 'max_seqs'"),
        ("{min_replicas: 2", "{min_replicas: two", 15, "autoscaling.min_replicas", "must be a whole number"),
        ("{min_replicas", "{min_replica", 15, "autoscaling.min_replica", "did you mean min_replicas?"),
        ("          model:", "          modle:", 13, "modle", "did you mean model?"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(
    told: Callable[[str], list[str]], old: str, new: str, line: int, field: str, message: str
) -> None:
    assert old in ENGINE
    (problem,) = told(HEAD + ENGINE.replace(old, new, 1))
    assert problem.startswith(f"models.yaml:{line}: models[0].upstreams[0].engine.{field}: ")
    assert message in problem


@pytest.mark.parametrize(
    ("engine", "field", "message"),
    [
        ("{kind: mock, preset: cpu-tiny}", "preset", "is for engines of kind vllm: leave the field out"),
        ("{kind: mock, set: {time_scale: fast}}", "set", "time_scale is 'fast': it must be a number from"),
        ("{kind: mock, model: /models/x}", "set", "only engines of kind vllm have one"),
    ],
)
def test_mockllm_has_settings_of_its_own(
    told: Callable[[str], list[str]], engine: str, field: str, message: str
) -> None:
    (problem,) = told(f"{HEAD}        engine: {engine}\n")
    assert f"models[0].upstreams[0].engine.{field}: " in problem
    assert message in problem


def test_an_engine_is_described_once(told: Callable[[str], list[str]]) -> None:
    assert told(HEAD + ENGINE + SECOND) == [
        "models.yaml:24: models[1].upstreams[0].engine: differs from that of 'gpu' in line 10"
    ]
    same = "        engine: {kind: mock}\n"
    parse_catalogue((HEAD + same + SECOND).encode(), file="models.yaml", variables={})
