"""An upstream that is no server: the model runs in the gateway itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.catalogue.base import ModelKind, Upstream
from serving.catalogue.load import parse_catalogue

OWN = 'upstreams: [{name: near, base_url: "${NEAR}/v1/", model: minilm}]'
UPSTREAM = "models[2].upstreams[0]"


def with_builtin(full: str, upstream: str) -> str:
    assert OWN in full
    return full.replace(OWN, f"upstreams: [{{{upstream}}}]")


def test_it_has_no_address(full: str, variables: dict[str, str]) -> None:
    text = with_builtin(full, "name: here, builtin: all-MiniLM-L6-v2, weight: 2")
    model = parse_catalogue(text.encode(), file="models.yaml", variables=variables).resolve(
        "embedder", ModelKind.EMBEDDING
    )
    assert model.upstreams == (Upstream(name="here", builtin="all-MiniLM-L6-v2", model="all-MiniLM-L6-v2", weight=2),)
    assert model.upstreams[0].base_url == ""


@pytest.mark.parametrize(
    ("upstream", "field", "message"),
    [
        ("name: here", ".base_url", "is missing"),
        ("name: here, builtin: bert", ".builtin", "must be 'all-MiniLM-L6-v2'"),
        (
            "name: here, builtin: all-MiniLM-L6-v2, base_url: http://host/v1",
            ".base_url",
            "must be left out where builtin is all-MiniLM-L6-v2: there is no server",
        ),
        (
            "name: here, builtin: all-MiniLM-L6-v2, model: x",
            "",
            "model must be left out where builtin is all-MiniLM-L6-v2: there is no server",
        ),
        (
            "name: near, builtin: all-MiniLM-L6-v2",
            ".builtin",
            "differs from that of 'near' in line 16: name this upstream otherwise",
        ),
    ],
)
def test_what_makes_no_sense_of_it_is_refused(
    full: str, problems: Callable[[str], list[str]], *, upstream: str, field: str, message: str
) -> None:
    assert problems(with_builtin(full, upstream)) == [f"models.yaml:34: {UPSTREAM}{field}: {message}"]


def test_it_serves_embeddings_only(full: str, problems: Callable[[str], list[str]]) -> None:
    vendor = "base_url: https://vendor.example/v1"
    (told,) = problems(full.replace(vendor, "builtin: all-MiniLM-L6-v2"))
    assert told == "models.yaml:41: models[3].upstreams: all-MiniLM-L6-v2 makes embeddings, and this is a chat model"
