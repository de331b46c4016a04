"""The most that a call may cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.call import Call
from api.schemas.parse import check_request
from api.tenants.budgets.worst_case import TEMPLATE_TOKENS, WorstCase, prompt_bound
from api.tenants.off import CataloguePrices
from rag.types import RagRequest, RagVersion
from serving.catalogue.base import Model, ModelKind, Price
from serving.mock_llm.tokenizer import tokenize
from serving.types import Endpoint, Json, Usage, WholeReply
from tests.unit.api.fakes import call as entering
from tests.unit.api.fakes import catalogue, model

HI: Json = {"messages": [{"role": "user", "content": "Hi"}]}


def read(body: Json, *, of: Model, endpoint: Endpoint = Endpoint.CHAT) -> Call:
    call = entering(body, endpoint=endpoint)
    call.body = msgspec.json.decode(msgspec.json.encode(body))
    call.request = check_request(endpoint, call.body)
    call.body_bytes = len(msgspec.json.encode(body))
    call.model = of
    return call


def worst(body: Json, *models: Model, endpoint: Endpoint = Endpoint.CHAT) -> int:
    """Of the first of the models."""
    bounds = WorstCase(catalogue=catalogue(*models), prices=CataloguePrices())
    return bounds.nano(read(body, of=models[0], endpoint=endpoint))


@given(text=st.text(max_size=400))
def test_no_text_has_more_tokens_than_the_bound(text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}]}
    bound = prompt_bound(read(body, of=model("fast")))
    assert bound is not None
    assert len(tokenize(text)) <= bound - TEMPLATE_TOKENS
    assert len(text.encode()) <= bound - TEMPLATE_TOKENS


def test_prompt_and_longest_answer_at_the_models_price() -> None:
    # 45 bytes and the template's 512 tokens at 1 $ a million, 1000 tokens at 10 $
    assert len(msgspec.json.encode(HI)) == 45
    assert worst(HI, model("fast")) == (45 + 512) * 1000 + 1000 * 10_000


def test_the_clients_limit_for_each_of_its_choices() -> None:
    body = {**HI, "max_tokens": 5, "n": 3}
    assert worst(body, model("fast")) == (len(msgspec.json.encode(body)) + 512) * 1000 + 3 * 5 * 10_000


def test_a_completion_is_written_as_often_as_the_best_is_chosen_from() -> None:
    body = {"prompt": ["one", "two"], "max_tokens": 10, "best_of": 4}
    size = len(msgspec.json.encode(body))
    expected = (size + 512) * 1000 + 2 * 4 * 10 * 10_000
    assert worst(body, model("fast"), endpoint=Endpoint.COMPLETIONS) == expected


def test_an_embedding_writes_nothing() -> None:
    body = {"input": ["one", "two"]}
    embedder = replace(model("embed", kind=ModelKind.EMBEDDING), max_output_tokens=0)
    size = len(msgspec.json.encode(body))
    bounds = WorstCase(catalogue=replace(catalogue(embedder), default_embedding_model=None), prices=CataloguePrices())
    call = read(body, of=embedder, endpoint=Endpoint.EMBEDDINGS)
    assert bounds.nano(call) == (size + 512) * 1000


def test_no_prompt_is_longer_than_its_context() -> None:
    long = {"messages": [{"role": "user", "content": "x" * 100_000}], "max_tokens": 1}
    assert worst(long, model("fast")) == 4096 * 1000 + 10_000
    many = {"prompt": ["x" * 100_000] * 3, "max_tokens": 1}
    assert worst(many, model("fast"), endpoint=Endpoint.COMPLETIONS) == 3 * 4096 * 1000 + 3 * 10_000


def test_the_dearest_model_that_may_answer_counts() -> None:
    dear = replace(model("dear"), price=Price(prefill=2.0, decode=20.0, cached=2.0))
    cheap = model("cheap", fallbacks=("dear",))
    assert worst(HI, cheap, dear) == worst(HI, dear)
    free = replace(model("free", fallbacks=("dear",)), price=Price(prefill=0, decode=0, cached=0))
    assert worst(HI, free, dear) == worst(HI, dear)


def test_free_models_cost_nothing() -> None:
    assert worst(HI, replace(model("free"), price=Price(prefill=0, decode=0, cached=0))) == 0


def test_a_prompt_that_is_dearer_from_the_engines_cache_counts_as_that() -> None:
    odd = replace(model("odd"), price=Price(prefill=1.0, decode=0, cached=3.0))
    assert worst(HI, odd) == (45 + 512) * 3000


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b.png"}}]}]},
        {"chat_template": "{{ messages * 1000 }}"},
    ],
)
def test_what_bytes_do_not_bound_may_fill_the_context(more: Json) -> None:
    assert worst({**HI, "max_tokens": 1, **more}, model("fast")) == 4096 * 1000 + 10_000


def test_parts_of_text_are_bounded_by_their_bytes() -> None:
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "max_tokens": 1}
    assert worst(parts, model("fast")) < 4096 * 1000


def test_tools_may_be_written_in_another_way() -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    with_tools = {**HI, "tools": tools}
    plain = prompt_bound(read(HI, of=model("fast")))
    bound = prompt_bound(read(with_tools, of=model("fast")))
    assert plain is not None
    assert bound is not None
    assert bound - plain >= 2 * len(msgspec.json.encode(tools))


def test_passages_and_what_was_remembered_are_part_of_the_prompt() -> None:
    call = read(HI, of=model("fast"))
    call.rag = RagRequest(collection="docs", version=RagVersion.V1, top_k=3)
    call.body = {"messages": [{"role": "user", "content": "passage " * 100}]}
    bound = prompt_bound(call)
    assert bound is not None
    assert bound >= 800 + TEMPLATE_TOKENS


def test_a_call_owes_no_more_than_its_bound_when_prices_change_while_it_runs() -> None:
    class Rising:
        now = 0.0

        def price_of(self, model: Model, at: datetime) -> Price:  # noqa: ARG002 - the same for all
            return Price(prefill=self.now, decode=self.now, cached=self.now)

    offered, rising = catalogue(model("fast")), Rising()
    call = read(HI, of=offered.models[0])
    bound = WorstCase(catalogue=offered, prices=rising).nano(call)
    rising.now = 100.0
    call.reply = WholeReply(upstream="near", body={}, usage=Usage(prompt_tokens=10, completion_tokens=10))
    assert call.make_bill(rising.price_of).cost_nano <= bound
