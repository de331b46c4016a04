"""The catalogue of each MODEL_BACKEND when no models file is given. `models.yaml` is that of `mock`, written out."""

from __future__ import annotations

from dataclasses import replace

from serving.catalogue.base import MINILM, WILDCARD, Catalogue, Model, ModelKind, Price, RagProfile, Upstream
from serving.catalogue.load import DEFAULT_OUTPUT_TOKENS

FAST, ACCURATE, MOCK_EMBEDDING = "finsight-fast", "finsight-accurate", "mock-embedding"
RAG = "finsight-rag"
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"

_RAG_PROFILE = RagProfile(collection="finsight", version="v4", top_k=5)
_CONTEXT_TOKENS = 8192
_CREATED = 1_795_219_200  # 2026-11-21, when this catalogue was written
_OWNED_BY = "self-hosted"

# USD per million tokens of Mistral-7B on an A10G (g5.xlarge, $1.006/h = $0.000279/s), the GPU at work half of the time.
#   prefill  14.5 GFLOP a token (2 x 7.25e9 weights) at 62.5 TFLOP/s, half of the A10G's dense bf16 peak of 125:
#            4,310 tokens/s: 0.000279 / 4310 * 1e6 = 0.065, and / 0.5 at work = 0.13
#   decode   a step reads 14.5 GB of weights and the KV blocks of 32 sequences of 1,000 tokens (32,000 x 128 KiB =
#            4.2 GB) at 600 GB/s: 31 ms for 32 tokens, 1,030 tokens/s: 0.27, and / 0.5 = 0.54
#   cached   costs no compute, only the KV blocks it keeps occupied: a tenth of prefill, as vendors charge
MISTRAL_7B_ON_A10G = Price(prefill=0.13, decode=0.54, cached=0.013)

# all-MiniLM-L6-v2, 22.7e6 weights, so 45 MFLOP a token, on the same GPU at a twentieth of its peak (short texts):
# 138,000 tokens/s: 0.002, and / 0.5 at work = 0.004.
EMBEDDING_ON_A10G = Price(prefill=0.004, decode=0.0, cached=0.0)

# The same model built in, in int8 on one core: 18 tokens in 1.9 ms and 256 in 25 ms, 10,000 tokens/s. A core's price is
# that of one of the two of a c6i.large, $0.085/h / 2 = $0.0000118/s: 0.0012, and / 0.5 at work = 0.0024.
EMBEDDING_ON_A_CORE = Price(prefill=0.0024, decode=0.0, cached=0.0)

# Another company's price is not known here: such tokens are counted and cost nothing until a models file says more.
UNKNOWN_PRICE = Price(prefill=0.0, decode=0.0, cached=0.0)

# What the model reads of a text; the rest is cut off.
_MINILM_TOKENS = 256

# More than any model takes today: the upstream itself refuses what is too long, this only bounds a reservation.
_UNKNOWN_CONTEXT_TOKENS = 2_097_152


def default_catalogue(
    backend: str, *, base_url: str, api_key: str | None = None, model: str | None = None
) -> Catalogue:
    """The catalogue of `backend`, one of mock, ray, vllm and openai, served at `base_url`, and the built-in model.

    `model` is the upstream's name of the one model there is. For ray and vllm it replaces Mistral-7B; openai offers
    it under its own name, or without it every model of the upstream under the client's names; mock has its own names.
    An empty `api_key` or `model` counts as none. Raises ValueError for another backend.
    """
    base_url, api_key, model = base_url.rstrip("/"), api_key or None, model or None

    def upstream(served_name: str | None) -> tuple[Upstream, ...]:
        own = backend != "openai"
        return (Upstream(name=backend, base_url=base_url, model=served_name, api_key=api_key, usage_in_chunks=own),)

    match backend:
        case "mock":
            return _mock(upstream(FAST), upstream(ACCURATE), upstream(MOCK_EMBEDDING))
        case "ray" | "vllm":
            return _mistral(upstream(model or MISTRAL), version="v0.3" if model in {None, MISTRAL} else "1")
        case "openai":
            return _forwarding(model, upstream(model))
    raise ValueError(f"there is no model backend {backend!r}: use mock, ray, vllm or openai")


def _mock(fast: tuple[Upstream, ...], accurate: tuple[Upstream, ...], embedding: tuple[Upstream, ...]) -> Catalogue:
    return Catalogue(
        models=(
            _chat(FAST, version="mock-1", upstreams=fast),
            _chat(ACCURATE, version="mock-1", upstreams=accurate, fallbacks=(FAST,)),
            _rag(version="mock-1", upstreams=fast),
            Model(
                name=MOCK_EMBEDDING,
                version="mock-1",
                kind=ModelKind.EMBEDDING,
                upstreams=embedding,
                context_tokens=_CONTEXT_TOKENS,
                max_output_tokens=0,
                default_output_tokens=0,
                price=EMBEDDING_ON_A10G,
                created=_CREATED,
                owned_by=_OWNED_BY,
            ),
            _minilm(),
        ),
        default_model=FAST,
        default_embedding_model=MOCK_EMBEDDING,
    )


def _mistral(upstreams: tuple[Upstream, ...], *, version: str) -> Catalogue:
    """Both names on the one engine that a single GPU holds; neither can stand in for the other."""
    return Catalogue(
        models=(
            *(_chat(name, version=version, upstreams=upstreams) for name in (FAST, ACCURATE)),
            _rag(version=version, upstreams=upstreams),
            _minilm(),
        ),
        default_model=FAST,
        default_embedding_model=MINILM,
    )


def _chat(name: str, *, version: str, upstreams: tuple[Upstream, ...], fallbacks: tuple[str, ...] = ()) -> Model:
    return Model(
        name=name,
        version=version,
        kind=ModelKind.CHAT,
        upstreams=upstreams,
        fallbacks=fallbacks,
        context_tokens=_CONTEXT_TOKENS,
        max_output_tokens=_CONTEXT_TOKENS,
        default_output_tokens=DEFAULT_OUTPUT_TOKENS,
        price=MISTRAL_7B_ON_A10G,
        created=_CREATED,
        owned_by=_OWNED_BY,
    )


def _rag(*, version: str, upstreams: tuple[Upstream, ...]) -> Model:
    """Answers from the collection that the worked example is ingested into."""
    return replace(_chat(RAG, version=version, upstreams=upstreams), rag=_RAG_PROFILE)


def _forwarding(model: str | None, upstreams: tuple[Upstream, ...]) -> Catalogue:
    if model is None:
        # No model to answer from documents with: its name would be forwarded as any other. Requests can ask by `rag`.
        models = tuple(_foreign(WILDCARD, kind, upstreams) for kind in (ModelKind.CHAT, ModelKind.EMBEDDING))
    else:
        only = _foreign(model, ModelKind.CHAT, upstreams)
        models = (only,) if model == RAG else (only, replace(only, name=RAG, rag=_RAG_PROFILE))
    return Catalogue(
        models=(*models, _minilm()),
        default_model=model,
        default_embedding_model=MINILM,
    )


def _minilm() -> Model:
    return Model(
        name=MINILM,
        version="int8",
        kind=ModelKind.EMBEDDING,
        upstreams=(Upstream(name="builtin", builtin=MINILM, model=MINILM),),
        context_tokens=_MINILM_TOKENS,
        max_output_tokens=0,
        default_output_tokens=0,
        price=EMBEDDING_ON_A_CORE,
        created=_CREATED,
        owned_by=_OWNED_BY,
    )


def _foreign(name: str, kind: ModelKind, upstreams: tuple[Upstream, ...]) -> Model:
    writes = kind is ModelKind.CHAT
    return Model(
        name=name,
        version="upstream",
        kind=kind,
        upstreams=upstreams,
        context_tokens=_UNKNOWN_CONTEXT_TOKENS,
        max_output_tokens=_UNKNOWN_CONTEXT_TOKENS if writes else 0,
        default_output_tokens=DEFAULT_OUTPUT_TOKENS if writes else 0,
        price=UNKNOWN_PRICE,
        created=_CREATED,
        owned_by="upstream",
    )
