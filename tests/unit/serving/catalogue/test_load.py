from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from serving.catalogue.base import CatalogueError, ModelKind, Price, RagProfile, TimeoutOverrides, Upstream
from serving.catalogue.load import load_catalogue, parse_catalogue

Variables = dict[str, str]
Problems = Callable[[str], list[str]]


def test_every_field_arrives(full: str, variables: Variables) -> None:
    models = parse_catalogue(full.encode(), file="models.yaml", variables=variables)
    fast = models.resolve("quick", ModelKind.CHAT)

    assert (fast.name, fast.version, fast.owned_by, fast.created) == ("fast", "2.1", "us", 1700000000)
    assert (fast.context_tokens, fast.max_output_tokens, fast.default_output_tokens) == (8192, 4096, 256)
    assert fast.price == Price(prefill=0.1, decode=1.0, cached=0.01)
    assert fast.upstreams == (
        Upstream(
            name="near",
            base_url="http://near:8091/v1",
            model="mistral",
            api_key="sk-near",
            weight=3,
            timeouts=TimeoutOverrides(connect_s=1, request_s=90.5),
        ),
        Upstream(name="far", base_url="https://far.example/v1", model="fast"),
    )
    assert models.fallback_chain(fast) == (models.resolve("smart", ModelKind.CHAT),)


def test_defaults_follow_the_order_of_the_file(full: str, variables: Variables) -> None:
    models = parse_catalogue(full.replace("default_model: fast\n", "").encode(), file="m", variables=variables)
    assert (models.default_model, models.default_embedding_model) == ("fast", "embedder")


def test_a_short_entry_gets_its_limits_from_the_context(full: str, variables: Variables) -> None:
    models = parse_catalogue(full.encode(), file="m", variables=variables)
    smart, embedder = models.resolve("smart", ModelKind.CHAT), models.resolve("embedder", ModelKind.EMBEDDING)
    assert (smart.max_output_tokens, smart.default_output_tokens) == (300, 300)
    assert (embedder.max_output_tokens, embedder.default_output_tokens) == (0, 0)


def test_a_model_may_answer_from_documents(full: str, variables: Variables) -> None:
    text = full.replace("300\n", "300\n    rag: {collection: hand-book, top_k: 3}\n", 1)
    models = parse_catalogue(text.encode(), file="m", variables=variables)
    assert models.resolve("smart", ModelKind.CHAT).rag == RagProfile(collection="hand-book", version=None, top_k=3)
    assert models.resolve("fast", ModelKind.CHAT).rag is None


def test_the_wildcard_forwards_the_clients_name_and_falls_back_by_alias(full: str, variables: Variables) -> None:
    models = parse_catalogue(full.encode(), file="m", variables=variables)
    rest = models.resolve("anything", ModelKind.CHAT)
    assert rest.upstreams[0].model is None
    assert rest.fallbacks == ("fast",)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(full: str, problems: Problems) -> None:
    text = (
        full.replace("default_model: fast", "default_model: slow")
        .replace('"2.1"', "2.1")
        .replace("weight: 3", "weight: 0")
        .replace("NEAR_KEY", "FAR_KEY")
        .replace("[smart]", "[smrt]")
        .replace("name: embedder", "name: smart")
    )
    assert [problem.split(": ")[:2] for problem in problems(text)] == [
        ["models.yaml:1", "default_model"],
        ["models.yaml:4", "models[0].version"],
        ["models.yaml:13", "models[0].fallbacks[0]"],
        ["models.yaml:18", "models[0].upstreams[0].api_key_env"],
        ["models.yaml:19", "models[0].upstreams[0].weight"],
        ["models.yaml:29", "models[2].name"],
    ]


@pytest.mark.parametrize(
    "shape", ["[]", "models", "{models: {}}", "{models: []}", "{models: [1]}", "{models: [{name: [x], kind: [y]}]}"]
)
def test_other_shapes_are_refused(problems: Problems, shape: str) -> None:
    assert all(problem.startswith("models.yaml:1: ") for problem in problems(shape))


def test_a_file_is_read(tmp_path: Path, full: str, variables: Variables) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(f"\ufeff{full}", encoding="utf-8")
    assert load_catalogue(file, variables=variables).default_model == "fast"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, latin = tmp_path / "missing.yaml", tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: \xe9\n".encode("latin-1"))
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 1_100_000)
    for path, message in [
        (missing, f"'{missing}' cannot be read: No such file or directory"),
        (tmp_path, f"'{tmp_path}' cannot be read: Is a directory"),
        (Path("nul\0l"), "'nul\\x00l' cannot be read: embedded null byte"),
        (latin, f"{latin}:2: is not UTF-8 text"),
        (large, f"{large}: is larger than 1048576 bytes"),
    ]:
        with pytest.raises(CatalogueError) as caught:
            load_catalogue(path, variables={})
        assert caught.value.problems == (message,)
