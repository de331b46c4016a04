from __future__ import annotations

from pathlib import Path

import pytest

from serving.catalogue.base import (
    MINILM,
    Model,
    ModelKind,
    NoDefaultModelError,
    RagProfile,
    UnknownModelError,
    Upstream,
)
from serving.catalogue.defaults import MISTRAL, default_catalogue
from serving.catalogue.load import load_catalogue

REPOSITORY = Path(__file__).parents[4]
URL = "http://engine:9/v1"
BUILTIN = Upstream(name="builtin", builtin=MINILM, model=MINILM)


def served(backend: str, *, model: str | None = None, api_key: str | None = None) -> list[Model]:
    """The models that the backend serves; the one that is built in is not among them."""
    models = default_catalogue(backend, base_url=URL, model=model, api_key=api_key).models
    return [model for model in models if model.upstreams != (BUILTIN,)]


def test_models_yaml_is_the_catalogue_of_the_mock_backend() -> None:
    from_file = load_catalogue(REPOSITORY / "models.yaml", variables={"MOCK_BASE_URL": URL})
    assert from_file == default_catalogue("mock", base_url=URL)


def test_models_yaml_works_without_any_variable() -> None:
    models = load_catalogue(REPOSITORY / "models.yaml", variables={})
    upstreams = {upstream for model in models.models for upstream in model.upstreams}
    assert {upstream.base_url for upstream in upstreams - {BUILTIN}} == {"http://127.0.0.1:8090/v1"}


@pytest.mark.parametrize("backend", ["mock", "ray", "vllm", "openai"])
def test_the_built_in_model_is_there_whatever_the_backend(backend: str) -> None:
    models = default_catalogue(backend, base_url=URL)
    model = models.resolve(MINILM, ModelKind.EMBEDDING)
    assert model.upstreams == (BUILTIN,)
    assert model in models.public_models()
    assert models.resolve(None, ModelKind.EMBEDDING).name == ("mock-embedding" if backend == "mock" else MINILM)
    assert 0 < model.price.prefill < 0.01


def test_the_mock_serves_every_name_as_itself() -> None:
    models = default_catalogue("mock", base_url=f"{URL}/")
    assert [model.name for model in models.public_models()] == [
        "finsight-fast",
        "finsight-accurate",
        "finsight-rag",
        "mock-embedding",
        MINILM,
    ]
    assert models.resolve(None, ModelKind.CHAT).name == "finsight-fast"
    assert models.resolve(None, ModelKind.EMBEDDING).name == "mock-embedding"
    for model in served("mock"):
        (upstream,) = model.upstreams
        served_as = "finsight-fast" if model.rag else model.name
        assert (upstream.name, upstream.base_url, upstream.model) == ("mock", URL, served_as)
    assert models.default_model == "finsight-fast"


@pytest.mark.parametrize("backend", ["ray", "vllm"])
def test_an_engine_serves_both_names_with_one_model(backend: str) -> None:
    models = default_catalogue(backend, base_url=URL, api_key="sk-1")
    assert [model.name for model in models.public_models()] == [
        "finsight-fast",
        "finsight-accurate",
        "finsight-rag",
        MINILM,
    ]
    for model in served(backend, api_key="sk-1"):
        (upstream,) = model.upstreams
        assert (upstream.name, upstream.model, upstream.api_key) == (backend, MISTRAL, "sk-1")
        assert models.fallback_chain(model) == ()


@pytest.mark.parametrize(("backend", "model"), [("mock", None), ("ray", None), ("vllm", "mine"), ("openai", "llama")])
def test_one_model_answers_from_documents_whatever_the_backend(backend: str, model: str | None) -> None:
    models = default_catalogue(backend, base_url=URL, model=model)
    grounded = models.resolve("finsight-rag", ModelKind.CHAT)
    assert grounded.rag == RagProfile(collection="finsight", version="v4", top_k=5)
    default = models.resolve(None, ModelKind.CHAT)
    assert default.rag is None
    assert grounded.upstreams == default.upstreams


def test_an_engine_may_serve_another_model() -> None:
    models = served("vllm", model="mine")
    assert {upstream.model for model in models for upstream in model.upstreams} == {"mine"}
    assert {model.version for model in models}.isdisjoint(model.version for model in served("vllm"))


@pytest.mark.parametrize("kind", list(ModelKind))
def test_an_openai_upstream_takes_any_name(kind: ModelKind) -> None:
    models = default_catalogue("openai", base_url=URL, api_key="", model="")
    model = models.resolve("gpt-9", kind)
    (upstream,) = model.upstreams
    assert (upstream.model, upstream.api_key, model.metric_label) == (None, None, "other")
    assert [model.name for model in models.public_models()] == [MINILM]
    with pytest.raises(NoDefaultModelError):
        models.resolve(None, ModelKind.CHAT)


def test_an_openai_upstream_with_a_model_takes_that_one_alone() -> None:
    models = default_catalogue("openai", base_url=URL, model="llama")
    model = models.resolve(None, ModelKind.CHAT)
    assert (model.name, model.upstreams[0].model, model.metric_label) == ("llama", "llama", "llama")
    with pytest.raises(UnknownModelError):
        models.resolve("gpt-9", ModelKind.CHAT)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="no model backend 'tgi'"):
        default_catalogue("tgi", base_url=URL)


@pytest.mark.parametrize("backend", ["mock", "ray", "vllm", "openai"])
def test_outputs_fit_the_context(backend: str) -> None:
    for model in default_catalogue(backend, base_url=URL).models:
        assert model.default_output_tokens <= model.max_output_tokens <= model.context_tokens
        assert (model.default_output_tokens > 0) is (model.kind is ModelKind.CHAT)
