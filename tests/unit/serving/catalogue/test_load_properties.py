"""No input leads to an exception other than CatalogueError."""

from __future__ import annotations

import datetime as dt
import string
from contextlib import suppress
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from serving.catalogue.base import Catalogue, CatalogueError
from serving.catalogue.load import parse_catalogue
from serving.catalogue.schema import CatalogueEntry, ModelEntry, PriceEntry, TimeoutsEntry, UpstreamEntry

VALID = b"""\
default_model: fast
models:
  - {name: fast, version: "1", kind: chat, context_tokens: 9, price: {prefill: 1, decode: 2, cached: 0.5},
     fallbacks: [slow], aliases: [quick], upstreams: [{name: a, base_url: "http://${HOST:-h}/v1", api_key_env: KEY}]}
  - name: slow
    version: "1"
    kind: chat
    context_tokens: 9
    max_output_tokens: 8
    price: &price {prefill: 1, decode: 2, cached: 0.5}
    upstreams:
      - name: b
        base_url: https://b/v1
        timeouts: {connect_s: 1}
"""
FIELDS = sorted(
    {
        field
        for entry in (CatalogueEntry, ModelEntry, PriceEntry, TimeoutsEntry, UpstreamEntry)
        for field in entry.model_fields
    }
)
YAML_CHARACTERS = st.sampled_from(
    [*string.printable, *"éλ\x00\x07\x85\u2028\ufeff\ud7ff", "\\U", "!!", "&a", "*a", "<<:", "${"]
)


# No deadline: the first example sets up many strategies, and a busy machine is no fault of the code.
fuzzed = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.sampled_from(["", "x", "1", "a b", "é", "\x07", "\u2028", "\ud800", "${x}", "x" * 300])


def read(content: bytes) -> Catalogue | None:
    """The catalogue, or None after a CatalogueError that names the file and can be printed."""
    try:
        return parse_catalogue(content, file="m.yaml", variables={"KEY": "k"})
    except CatalogueError as error:
        problems = error.problems
    assert problems
    assert all(problem.startswith("m.yaml:") and problem.encode() for problem in problems)
    return None


def test_the_seed_is_valid() -> None:
    assert read(VALID) is not None


@fuzzed
@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00")
def test_any_bytes(content: bytes) -> None:
    read(content)


@fuzzed
@given(st.lists(YAML_CHARACTERS, max_size=60).map("".join))
@example("%YAML 9" + "9" * 5000 + ".1\n---\na")
@example('"\\UFFFFFFFF"')
@example("!<tag:yaml.org,2002:int> " + "9" * 5000)
@example("models: " + "9" * 5000)
@example("models: 0b_")
@example("models: 2026-13-45")
@example("? ? a\n: b")
@example("!!python/name:os.system a: b")
@example("%TAG ! %FF\n---\n!%FF a")
def test_any_text(text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"))


@fuzzed
@given(st.integers(0, len(VALID)), st.integers(0, 12), st.lists(YAML_CHARACTERS, max_size=8).map("".join))
def test_a_damaged_file(at: int, cut: int, inserted: str) -> None:
    read(VALID[:at] + inserted.encode() + VALID[at + cut :])


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.just(dt.date(2026, 11, 21)),
    st.just(b"\xff"),
    st.sampled_from(
        ["fast", "slow", "*", "other", "chat", "embedding", "http://a/v1", "${KEY}", "${NOPE}", "KEY", "a b"]
    ),
)
keys = st.one_of(st.sampled_from(FIELDS), WORDS, st.integers(), st.none())
anything: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2), max_leaves=4
)


def entries(schema: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Mappings with some of these fields, mostly of the right shape."""
    return st.fixed_dictionaries({}, optional={field: value | anything for field, value in schema.items()})


names = st.sampled_from(["fast", "slow", "quick", "*", "x"])
upstreams = entries(
    {"name": names, "base_url": st.just("http://a/v1"), "weight": st.integers(-1, 3), "api_key_env": st.just("KEY")}
)
prices = entries(dict.fromkeys(("prefill", "decode", "cached"), st.floats(0, 9)))
models = entries(
    {
        "name": names,
        "version": st.just("1"),
        "kind": st.sampled_from(["chat", "embedding"]),
        "aliases": st.lists(names, max_size=2),
        "fallbacks": st.lists(names, max_size=2),
        "context_tokens": st.integers(-1, 9),
        "max_output_tokens": st.integers(-1, 9),
        "price": prices,
        "upstreams": st.lists(upstreams, max_size=2),
    }
)
catalogues = entries({"models": st.lists(models, max_size=4), "default_model": names, "default_embedding_model": names})


@fuzzed
@given(catalogues)
def test_any_values_in_the_shape_of_a_catalogue(value: Any) -> None:
    with suppress(UnicodeEncodeError):  # lone surrogates cannot be written as UTF-8
        read(yaml.safe_dump(value, allow_unicode=True).encode())


fallback_graphs = st.integers(1, 6).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
)


@fuzzed
@given(fallback_graphs)
def test_fallbacks_are_accepted_just_when_they_have_no_cycle(graph: list[list[int]]) -> None:
    listed = [
        f"- {{name: m{index}, version: v, kind: chat, context_tokens: 9, price: {{prefill: 1, decode: 1, cached: 1}}, "
        f"upstreams: [{{name: a, base_url: 'http://a'}}], fallbacks: [{', '.join(f'm{to}' for to in targets)}]}}"
        for index, targets in enumerate(graph)
    ]
    reachable = [set(targets) for targets in graph]
    for _ in graph:
        reachable = [targets.union(*(reachable[to] for to in targets)) for targets in reachable]
    has_cycle = any(index in targets for index, targets in enumerate(reachable))

    assert (read("\n".join(["models:", *listed]).encode()) is None) is has_cycle
