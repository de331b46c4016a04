from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from serving.catalogue.base import (
    WILDCARD,
    Catalogue,
    Model,
    ModelKind,
    NoDefaultModelError,
    Price,
    UnknownModelError,
    Upstream,
    WrongModelKindError,
)


def model(
    name: str, kind: ModelKind = ModelKind.CHAT, *, aliases: tuple[str, ...] = (), fallbacks: tuple[str, ...] = ()
) -> Model:
    return Model(
        name=name,
        version="1",
        kind=kind,
        upstreams=(Upstream(name="engine", base_url="http://engine/v1", model=name),),
        aliases=aliases,
        fallbacks=fallbacks,
        context_tokens=100,
        max_output_tokens=50,
        default_output_tokens=10,
        price=Price(prefill=1.0, decode=2.0, cached=0.1),
        created=0,
        owned_by="us",
    )


def catalogue(*models: Model, default: str | None = None, default_embedding: str | None = None) -> Catalogue:
    return Catalogue(models=models, default_model=default, default_embedding_model=default_embedding)


def test_a_name_an_alias_and_no_name_resolve() -> None:
    fast, embedder = model("fast", aliases=("quick",)), model("embedder", ModelKind.EMBEDDING)
    models = catalogue(fast, embedder, default="quick", default_embedding="embedder")

    assert models.resolve("fast", ModelKind.CHAT) is fast
    assert models.resolve("quick", ModelKind.CHAT) is fast
    assert models.resolve(None, ModelKind.CHAT) is fast
    assert models.resolve(None, ModelKind.EMBEDDING) is embedder
    assert models.public_model("quick") is fast


def test_an_unknown_name_is_refused_with_the_name() -> None:
    models = catalogue(model("fast"))
    with pytest.raises(UnknownModelError, match="'fats' does not exist") as caught:
        models.resolve("fats", ModelKind.CHAT)
    assert caught.value.name == "fats"
    with pytest.raises(UnknownModelError):
        models.public_model("fats")


def test_an_empty_name_is_not_the_default() -> None:
    with pytest.raises(UnknownModelError):
        catalogue(model("fast"), default="fast").resolve("", ModelKind.CHAT)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("embedder", ModelKind.CHAT, "'embedder' serves embeddings, not completions"),
        ("fast", ModelKind.EMBEDDING, "'fast' serves completions, not embeddings"),
    ],
)
def test_a_model_of_another_kind_is_refused(name: str, kind: ModelKind, message: str) -> None:
    with pytest.raises(WrongModelKindError, match=message):
        catalogue(model("fast"), model("embedder", ModelKind.EMBEDDING)).resolve(name, kind)


def test_no_name_and_no_default_is_refused() -> None:
    with pytest.raises(NoDefaultModelError, match="no default embedding model"):
        catalogue(model("fast"), default="fast").resolve(None, ModelKind.EMBEDDING)


def test_the_wildcard_takes_every_other_name_of_its_kind() -> None:
    fast, rest = model("fast"), model(WILDCARD)
    models = catalogue(fast, rest)

    assert models.resolve("fast", ModelKind.CHAT) is fast
    assert models.resolve("gpt-9", ModelKind.CHAT) is rest
    with pytest.raises(UnknownModelError):
        models.resolve("gpt-9", ModelKind.EMBEDDING)


def test_the_wildcard_is_not_listed_and_has_one_metric_label() -> None:
    models = catalogue(model("fast"), model(WILDCARD))
    assert [listed.name for listed in models.public_models()] == ["fast"]
    assert models.resolve("gpt-9", ModelKind.CHAT).metric_label == "other"
    assert models.resolve("fast", ModelKind.CHAT).metric_label == "fast"
    with pytest.raises(UnknownModelError):
        models.public_model(WILDCARD)


def test_fallbacks_follow_each_other_once_each() -> None:
    a = model("a", fallbacks=("b", "d"))
    models = catalogue(a, model("b", fallbacks=("c", "d")), model("c"), model("d", fallbacks=("c",)))
    assert [fallback.name for fallback in models.fallback_chain(a)] == ["b", "c", "d"]
    assert models.fallback_chain(models.resolve("c", ModelKind.CHAT)) == ()


def test_a_fallback_chain_of_many_models_is_walked() -> None:
    names = [f"m{index}" for index in range(5000)]
    chain = [model(name, fallbacks=(after,)) for name, after in itertools.pairwise(names)]
    models = catalogue(*chain, model(names[-1]))
    assert len(models.fallback_chain(chain[0])) == 4999


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: catalogue(model("a"), model("b", aliases=("a",))), "share a name"),
        (lambda: catalogue(model(WILDCARD), model(WILDCARD)), "share a name"),
        (lambda: catalogue(model("a"), default="b"), "'b' is no chat model"),
        (lambda: catalogue(model("a"), default_embedding="a"), "'a' is no embedding model"),
        (lambda: catalogue(model("a", fallbacks=("b",))), "fallback 'b'"),
    ],
)
def test_an_inconsistent_catalogue_cannot_be_built(build: Callable[[], Catalogue], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_cached_tokens_are_billed_at_their_own_price() -> None:
    price = Price(prefill=1.0, decode=10.0, cached=0.5)
    cost = price.cost_nano(prompt_tokens=1_000_000, cached_tokens=400_000, completion_tokens=200_000)
    assert cost == 2_800_000_000


def test_a_key_never_shows_in_a_repr() -> None:
    upstream = Upstream(name="vendor", base_url="https://host/v1", api_key="sk-secret")
    assert "sk-secret" not in repr(upstream)
