"""What a request asks of the corpus: field by field its own, its model's, the gateway's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.call import Call, Caller
from api.errors import InvalidRequest
from api.stages.rag_request import RagDefaults
from api.stages.read import Reader
from rag.types import RagRequest, RagVersion
from serving.catalogue.base import Catalogue, Model, ModelKind, RagProfile
from serving.types import Endpoint, Json
from tests.unit.api.fakes import call, catalogue, model

QUESTION = [{"role": "user", "content": "What was revenue in Q3 2024?"}]
CALLER = Caller(tenant="finsight", key_id="key", windows=())
DEFAULTS = RagDefaults(version=RagVersion.V3, top_k=7, context_tokens=900)


def grounded(**profile: Any) -> Model:
    return replace(model("docs"), rag=RagProfile(collection="handbook", **profile))


async def read(body: Json, *, endpoint: Endpoint = Endpoint.CHAT, offered: Catalogue | None = None) -> Call:
    asked = call(body, endpoint=endpoint)
    embedding = model("vectors", kind=ModelKind.EMBEDDING)
    asked.caller = CALLER
    await Reader(offered or catalogue(model("fast"), grounded(), embedding), rag=DEFAULTS).read(asked)
    return asked


async def test_a_call_without_rag_has_none() -> None:
    for body in ({"messages": QUESTION}, {"messages": QUESTION, "rag": None}):
        asked = await read(body)
        assert asked.rag is None
        assert "rag" not in asked.body


async def test_a_request_has_its_own_the_gateways_fill_what_it_leaves_out() -> None:
    asked = await read({"messages": QUESTION, "rag": {"collection": "reports"}})
    assert asked.rag == RagRequest(collection="reports", version=RagVersion.V3, top_k=7)
    asked = await read({"messages": QUESTION, "rag": {"collection": "reports", "version": "v1", "top_k": 1}})
    assert asked.rag == RagRequest(collection="reports", version=RagVersion.V1, top_k=1)
    assert "rag" not in asked.body


async def test_a_models_own_stands_between_the_two() -> None:
    offered = catalogue(grounded(version="v2", top_k=3))
    for rag, expected in [
        (None, ("handbook", "v2", 3)),
        ({}, ("handbook", "v2", 3)),
        ({"top_k": 9}, ("handbook", "v2", 9)),
        ({"collection": "other", "version": "v4"}, ("other", "v4", 3)),
    ]:
        asked = await read({"model": "docs", "messages": QUESTION, "rag": rag}, offered=offered)
        assert asked.rag is not None
        assert (asked.rag.collection, asked.rag.version, asked.rag.top_k) == expected


async def test_passages_are_reserved_for() -> None:
    plain = await read({"messages": QUESTION})
    asked = await read({"messages": QUESTION, "rag": {"collection": "reports"}})
    assert asked.reserved_tokens == plain.reserved_tokens + 900


@pytest.mark.parametrize(
    ("rag", "param", "code"),
    [
        ({}, "rag.collection", "missing_required_parameter"),
        ({"collection": "reports", "versoin": "v1"}, "rag.versoin", "unknown_parameter"),
        ({"collection": "Reports"}, "rag.collection", "invalid_value"),
        ({"collection": "reports\n"}, "rag.collection", "invalid_value"),
        ({"collection": "-x"}, "rag.collection", "invalid_value"),
        ({"collection": "x" * 64}, "rag.collection", "invalid_value"),
        ({"collection": "x", "version": "v5"}, "rag.version", "invalid_value"),
        ({"collection": "x", "top_k": 0}, "rag.top_k", "invalid_value"),
        ({"collection": "x", "top_k": 21}, "rag.top_k", "invalid_value"),
        ("finsight", "rag", "invalid_value"),
    ],
)
async def test_what_is_wrong_is_named(rag: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read({"messages": QUESTION, "rag": rag})
    assert (refused.value.param, refused.value.code) == (param, code)


@pytest.mark.parametrize(
    "last",
    [
        {"role": "assistant", "content": "It was $5 million."},
        {"role": "user", "content": "  "},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
        {"role": "tool", "content": "42", "tool_call_id": "call-1"},
        {"role": "system", "content": "Be brief."},
    ],
)
async def test_there_must_be_a_question(last: Json) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read({"messages": [*QUESTION, last], "rag": {"collection": "reports"}})
    assert refused.value.param == "messages[1]"


async def test_a_question_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "What was"}, {"type": "text", "text": "revenue?"}]
    asked = await read({"messages": [{"role": "user", "content": parts}], "rag": {"collection": "reports"}})
    assert asked.rag is not None


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (Endpoint.COMPLETIONS, {"prompt": "Hi"}),
        (Endpoint.EMBEDDINGS, {"input": "Hi", "model": "vectors"}),
    ],
)
async def test_other_endpoints_answer_from_no_documents(endpoint: Endpoint, body: Json) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read({**body, "rag": {"collection": "reports"}}, endpoint=endpoint)
    assert refused.value.param == "rag"
    assert (await read({**body, "rag": None}, endpoint=endpoint)).rag is None


async def test_a_model_that_answers_from_documents_completes_no_prompts() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read({"model": "docs", "prompt": "Hi"}, endpoint=Endpoint.COMPLETIONS)
    assert refused.value.param == "model"
