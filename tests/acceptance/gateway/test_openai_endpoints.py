"""The rest of the OpenAI API through the official client: completions, embeddings, models, errors, headers."""

from __future__ import annotations

import base64
import struct
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest

from tests.acceptance.gateway import openai_wire
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import conforms, sse_chunks
from tests.acceptance.gateway.processes import MODELS, Gateway
from tests.acceptance.gateway.raw_http import CHAT

COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MODEL = "finsight-fast"
QUESTION: Any = [{"role": "user", "content": "What does paged attention do?"}]
LONG = {"ignore_eos": True}


def test_completions(openai_client: openai.OpenAI, client: httpx.Client) -> None:
    answer = openai_client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8, extra_body=LONG)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    body = client.post(COMPLETIONS, json={"prompt": ["Once", "Twice"], "logprobs": 1, "max_tokens": 4}).json()
    conforms(body, openai_wire.COMPLETION)
    assert [choice["index"] for choice in body["choices"]] == [0, 1]


@pytest.mark.parametrize("include_usage", [False, True])
def test_streamed_completions(client: httpx.Client, include_usage: bool) -> None:
    wish: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    request = {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 8, "seed": 1}
    whole = client.post(COMPLETIONS, json=request).json()
    chunks = sse_chunks(client.post(COMPLETIONS, json={**request, **wish, "stream": True}).text)
    shape = openai_wire.COMPLETION_CHUNK_WITH_USAGE if include_usage else openai_wire.COMPLETION_CHUNK
    for chunk in chunks:
        conforms(chunk, shape)
    if include_usage:
        assert chunks.pop()["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"]


def test_embeddings(openai_client: openai.OpenAI, client: httpx.Client) -> None:
    inputs = ["paged attention", "continuous batching"]
    # The official client asks for base64 and decodes it unless told otherwise.
    decoded = openai_client.embeddings.create(model="mock-embedding", input=inputs)
    assert [entry.index for entry in decoded.data] == [0, 1]
    floats = client.post(EMBEDDINGS, json={"input": inputs, "encoding_format": "float"}).json()
    packed = client.post(EMBEDDINGS, json={"input": inputs, "encoding_format": "base64"}).json()
    for body in (floats, packed):
        conforms(body, openai_wire.EMBEDDING_LIST)
        assert body["model"] == "mock-embedding"
        assert body["usage"]["prompt_tokens"] > 0
    for entry, plain, coded in zip(decoded.data, floats["data"], packed["data"], strict=True):
        raw = base64.b64decode(coded["embedding"])
        assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == pytest.approx(plain["embedding"], rel=1e-5)
        assert entry.embedding == pytest.approx(plain["embedding"], rel=1e-5)
    assert floats["data"][0]["embedding"] != floats["data"][1]["embedding"]


def test_models(openai_client: openai.OpenAI, client: httpx.Client) -> None:
    assert [model.id for model in openai_client.models.list()] == list(MODELS)
    assert openai_client.models.retrieve(MODEL).id == MODEL
    conforms(client.get("/v1/models").json(), openai_wire.MODEL_LIST)
    conforms(client.get(f"/v1/models/{MODEL}").json(), openai_wire.MODEL)
    with pytest.raises(openai.NotFoundError) as missing:
        openai_client.models.retrieve("no-such-model")
    assert (missing.value.param, missing.value.code) == ("model", "model_not_found")


def test_an_unknown_model_is_not_found(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no-such-model") as missing:
        openai_client.chat.completions.create(model="no-such-model", messages=QUESTION)
    assert (missing.value.param, missing.value.code) == ("model", "model_not_found")
    assert missing.value.type == "invalid_request_error"


def test_a_model_of_another_kind_is_refused(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="mock-embedding") as refused:
        openai_client.chat.completions.create(model="mock-embedding", messages=QUESTION)
    assert refused.value.param == "model"


@pytest.mark.parametrize("key", ["wrong", "Bearer", "dev-key", "a b"])
def test_a_wrong_key_is_refused(gateway: Gateway, key: str) -> None:
    with httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}) as client:
        for answer in (client.post(CHAT, json={"messages": QUESTION}), client.get("/v1/models")):
            assert answer.status_code == 401
            conforms(answer.json(), openai_wire.ERROR)
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_the_official_client_raises_on_a_wrong_key(gateway: Gateway) -> None:
    with openai.OpenAI(base_url=gateway.base_url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model=MODEL, messages=QUESTION)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_a_bad_value_is_named(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        openai_client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=3)
    assert refused.value.param == "temperature"


def test_headers_tell_id_time_limits_and_upstream(openai_client: openai.OpenAI, request_id: str) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        model=MODEL, messages=QUESTION, extra_headers={"X-Request-Id": request_id}
    )
    assert raw.headers["x-request-id"] == raw.request_id == request_id
    assert float(raw.headers["x-response-time"].removesuffix("ms")) > 0
    assert raw.headers["x-served-by"] == "mock"
    for kind in ("requests", "tokens"):
        limit, remaining = (int(raw.headers[f"x-ratelimit-{part}-{kind}"]) for part in ("limit", "remaining"))
        assert 0 < remaining < limit
        assert raw.headers[f"x-ratelimit-reset-{kind}"]
    assert raw.parse().choices[0].finish_reason == "stop"


def test_an_id_is_minted_for_whoever_brings_none(client: httpx.Client) -> None:
    answers = [client.post(CHAT, json={"messages": QUESTION}), client.get("/v1/models"), client.get("/nowhere")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(len(one) >= 16 for one in ids)
    assert all(one != other for one, other in pairwise(sorted(ids)))


def test_one_answer_is_billed_as_it_says(client: httpx.Client, ledger: LedgerRows, request_id: str) -> None:
    answer = client.post(CHAT, json={"messages": QUESTION}, headers={"X-Request-Id": request_id}).json()
    row = ledger.one(request_id)
    assert row["prompt_tokens"] == answer["usage"]["prompt_tokens"]
    assert row["completion_tokens"] == answer["usage"]["completion_tokens"]
    assert (row["tenant"], row["model"], row["outcome"]) == ("acceptance", MODEL, "ok")
    assert (row["endpoint"], row["streamed"], row["estimated"]) == ("chat/completions", False, False)
    assert row["cost_usd"] > 0
