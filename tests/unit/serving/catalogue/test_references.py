from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.catalogue.references import check_references
from serving.catalogue.yaml_document import Document

Problems = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: embedder", "name: smart", "29: models[2].name: 'smart' is already used in line 23"),
        ("name: embedder", "name: quick", "29: models[2].name: 'quick' is already used in line 6"),
        ("quick, ", "quick, quick, ", "6: models[0].aliases[1]: 'quick' is already used in line 6"),
        ("quick, ", "fast, ", "6: models[0].aliases[0]: 'fast' is already used in line 3"),
        ("name: far\n", "name: near\n", "21: models[0].upstreams[1].name: 'near' is used twice in this model"),
    ],
)
def test_a_name_stands_for_one_thing(full: str, problems: Problems, old: str, new: str, expected: str) -> None:
    assert old in full
    assert problems(full.replace(old, new, 1)) == [f"models.yaml:{expected}"]


def test_an_upstream_name_stands_for_one_address(full: str, problems: Problems) -> None:
    (told,) = problems(full.replace("name: vendor", "name: far"))
    place, message = told.split(": ", 1)
    assert place == "models.yaml:43"
    assert message.endswith("base_url: differs from that of 'far' in line 22: name this upstream otherwise")


def test_there_is_one_wildcard_of_each_kind(full: str, problems: Problems) -> None:
    wildcard = (
        '  - {name: "*", version: v, kind: KIND, context_tokens: 9, price: {prefill: 0, decode: 0, cached: 0}, '
        "upstreams: [{name: vendor, base_url: https://vendor.example/v1}]}\n"
    )
    text = full + wildcard.replace("KIND", "embedding") + wildcard.replace("KIND", "chat")
    assert problems(text) == ["models.yaml:45: models[5].name: '*' is already used in line 35"]


@pytest.mark.parametrize(
    ("fallbacks", "message"),
    [
        ("[smrt]", "[0]: 'smrt' is no model of this file; did you mean 'smart'?"),
        ("[smart, zzzzzz]", "[1]: 'zzzzzz' is no model of this file"),
        ("['*']", "[0]: '*' is no model of this file"),
        ("[embedder]", "[0]: 'embedder' is of another kind than this model"),
        ("[fast]", "[0]: makes a cycle: fast -> fast"),
        ("[quick]", "[0]: makes a cycle: fast -> fast"),
    ],
)
def test_a_fallback_is_another_model_of_the_kind(full: str, problems: Problems, fallbacks: str, message: str) -> None:
    told = problems(full.replace("fallbacks: [smart]", f"fallbacks: {fallbacks}"))
    assert told == [f"models.yaml:13: models[0].fallbacks{message}"]


def test_a_cycle_is_told_where_it_closes(full: str, problems: Problems) -> None:
    told = problems(full.replace("context_tokens: 300", "fallbacks: [gpt-4o-mini]\n    context_tokens: 300"))
    assert told == ["models.yaml:26: models[1].fallbacks[0]: makes a cycle: fast -> smart -> fast"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("default_model: fats", "default_model: 'fats' is no model of this file; did you mean 'fast'?"),
        ("default_model: '*'", "default_model: '*' is no model of this file"),
        ("default_model: embedder", "default_model: 'embedder' is no chat model"),
        ("default_embedding_model: smart", "default_embedding_model: 'smart' is no embedding model"),
    ],
)
def test_a_default_is_a_model_of_its_kind(full: str, problems: Problems, line: str, message: str) -> None:
    assert problems(full.replace("default_model: fast", line)) == [f"models.yaml:1: {message}"]


def test_a_chain_of_thousands_is_checked() -> None:
    size = 5000
    models = [{"name": f"m{index}", "fallbacks": [f"m{(index + 1) % size}"]} for index in range(size)]
    findings = check_references(Document(value={"models": models}))
    assert [finding.path for finding in findings] == [("models", size - 1, "fallbacks", 0)]
    models[-1]["fallbacks"] = []
    assert check_references(Document(value={"models": models})) == []
