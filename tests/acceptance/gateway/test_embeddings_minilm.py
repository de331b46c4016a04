"""`/v1/embeddings` of the model that runs in the gateway itself, through the official client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from serving.embedders.model_files import GRAPH_FILE
from tests.acceptance.gateway import openai_wire
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import conforms
from tests.acceptance.gateway.processes import KEY, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

MODEL = "all-MiniLM-L6-v2"
EMBEDDINGS = "/v1/embeddings"


@pytest.fixture(scope="module")
def embedding_gateway(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    gateway = gateways.start(EMBEDDER_MODEL_DIR=str(minilm_dir))
    yield gateway
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.fixture
def client(embedding_gateway: Gateway) -> Iterator[httpx.Client]:
    with embedding_gateway.client() as client:
        yield client


@pytest.fixture
def official(embedding_gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=embedding_gateway.base_url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_official_client_gets_vectors_that_mean_something(official: openai.OpenAI) -> None:
    texts = [
        "What was Apple's revenue in Q3 2024?",
        "How much revenue did Apple report for the third quarter of 2024?",
        "How do I bake sourdough bread?",
    ]
    answer = official.embeddings.create(model=MODEL, input=texts)
    asked, paraphrase, other = (entry.embedding for entry in answer.data)
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    assert {len(vector) for vector in (asked, paraphrase, other)} == {384}
    assert cosine(asked, asked) == pytest.approx(1.0, abs=1e-5)
    assert cosine(asked, paraphrase) > 0.85
    assert cosine(asked, other) < 0.3
    assert answer.model == MODEL


def test_numbers_and_base64_are_the_same_vectors(official: openai.OpenAI, client: httpx.Client) -> None:
    texts = ["net income", "gross margin"]
    decoded = official.embeddings.create(model=MODEL, input=texts)  # the client asks for base64 by itself
    floats = client.post(EMBEDDINGS, json={"model": MODEL, "input": texts, "encoding_format": "float"}).json()
    packed = client.post(EMBEDDINGS, json={"model": MODEL, "input": texts, "encoding_format": "base64"}).json()
    for body in (floats, packed):
        conforms(body, openai_wire.EMBEDDING_LIST)
    assert [entry.embedding for entry in decoded.data] == [entry["embedding"] for entry in floats["data"]]
    assert all(isinstance(entry["embedding"], str) for entry in packed["data"])


def test_a_string_is_a_list_of_one(official: openai.OpenAI) -> None:
    (alone,) = official.embeddings.create(model=MODEL, input="net income").data
    listed = official.embeddings.create(model=MODEL, input=["gross margin", "net income"]).data
    assert alone.embedding == listed[1].embedding


def test_tokens_are_counted_and_billed(client: httpx.Client, ledger: LedgerRows) -> None:
    reply = client.post(EMBEDDINGS, json={"model": MODEL, "input": ["revenue", "revenue growth"]})
    assert reply.json()["usage"] == {"prompt_tokens": 3 + 4, "total_tokens": 7}
    row = ledger.one(reply.headers["x-request-id"])
    assert (row["model"], row["upstream"], row["prompt_tokens"]) == (MODEL, "builtin", 7)
    assert 0 < row["cost_usd"] < 1e-6


@pytest.mark.parametrize(
    "text",
    ["4711", "🚀📈👩‍👩‍👧", "売上高 Umsatz выручка الإيرادات", "net interest income " * 5_000, "x" * 100_000, " "],
    ids=["digits", "emoji", "mixed scripts", "100 kB", "one word of 100 kB", "space"],
)
def test_any_text_has_a_vector(official: openai.OpenAI, text: str) -> None:
    (entry,) = official.embeddings.create(model=MODEL, input=text).data
    assert cosine(entry.embedding, entry.embedding) == pytest.approx(1.0, abs=1e-5)


def test_many_texts_come_back_in_their_order(official: openai.OpenAI) -> None:
    texts = [f"filing number {number}" for number in range(300)]
    together = official.embeddings.create(model=MODEL, input=texts).data
    assert [entry.index for entry in together] == list(range(300))
    (alone,) = official.embeddings.create(model=MODEL, input=texts[217]).data
    assert together[217].embedding == alone.embedding


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"input": [101, 2054, 102]}, "input", "takes no token ids"),
        ({"input": [[101], [102]]}, "input", "takes no token ids"),
        ({"input": "a", "dimensions": 256}, "dimensions", "dimensions is 256: all-MiniLM-L6-v2 has 384 and no others"),
        ({"input": []}, "input", "must not be empty"),
        ({"input": ["a"] * 2049}, "input", "at most 2048"),
    ],
)
def test_what_it_cannot_do_is_refused(client: httpx.Client, fields: dict[str, Any], param: str, message: str) -> None:
    reply = client.post(EMBEDDINGS, json={"model": MODEL, **fields})
    assert reply.status_code == 400
    conforms(reply.json(), openai_wire.ERROR)
    assert reply.json()["error"]["param"] == param
    assert message in reply.json()["error"]["message"]


def test_it_writes_no_completions(client: httpx.Client) -> None:
    reply = client.post(CHAT, json={"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "model"


def test_chat_goes_on_while_a_large_batch_is_embedded(embedding_gateway: Gateway, client: httpx.Client) -> None:
    texts = ["net interest income grew because deposits were repriced more slowly than loans " * 12] * 80
    with ThreadPoolExecutor(2) as pool, embedding_gateway.client(timeout_s=120) as other:
        batches = [
            pool.submit(other.post, EMBEDDINGS, json={"model": MODEL, "input": texts, "encoding_format": "base64"})
            for _ in range(2)  # one for each worker
        ]
        answered = 0
        while not all(batch.done() for batch in batches):
            assert client.post(CHAT, json=QUESTION).status_code == 200
            answered += 1
    assert answered > 3
    assert [batch.result().status_code for batch in batches] == [200, 200]


def test_who_leaves_frees_the_place(embedding_gateway: Gateway, client: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.post(EMBEDDINGS, json={"model": MODEL, "input": ["net income " * 300] * 1_000}, timeout=0.3)
    eventually(embedding_gateway.in_flight, until=lambda count: count == 0)


def test_a_model_that_is_not_there_is_a_503_and_nothing_else(gateways: GatewayFactory, tmp_path: Path) -> None:
    gateway = gateways.start(EMBEDDER_MODEL_DIR=str(tmp_path), WORKERS=1)
    with gateway.client() as client:
        reply = client.post(EMBEDDINGS, json={"model": MODEL, "input": "a"})
        assert reply.status_code == 503
        conforms(reply.json(), openai_wire.ERROR)
        assert client.post(EMBEDDINGS, json={"model": "mock-embedding", "input": "a"}).status_code == 200
        assert client.post(CHAT, json=QUESTION).status_code == 200
        assert MODEL in [model["id"] for model in client.get("/v1/models").json()["data"]]
    report = eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "degraded").json()
    assert report["dependencies"]["upstream:builtin"].startswith("away")
    eventually(gateway.log, until=lambda log: "there is no embedding model" in log)
    gateways.stop(gateway)


def test_a_damaged_model_is_not_used_until_it_is_repaired(
    gateways: GatewayFactory, minilm_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(minilm_dir, folder)
    content = bytearray((folder / GRAPH_FILE).read_bytes())
    content[12_345] ^= 1
    (folder / GRAPH_FILE).write_bytes(content)
    gateway = gateways.start(EMBEDDER_MODEL_DIR=str(folder), WORKERS=1)
    with gateway.client() as client:
        assert client.post(EMBEDDINGS, json={"model": MODEL, "input": "a"}).status_code == 503
        eventually(gateway.log, until=lambda log: "the embedding model is damaged" in log)
        shutil.copy(minilm_dir / GRAPH_FILE, folder)

        def ask() -> httpx.Response:
            return client.post(EMBEDDINGS, json={"model": MODEL, "input": "a"})

        eventually(ask, until=lambda reply: reply.status_code == 200, within_s=30)
    gateways.stop(gateway)


def test_no_text_is_in_the_log(embedding_gateway: Gateway, official: openai.OpenAI) -> None:
    # No word that is a part of some request's id by chance: those are hexadecimal.
    official.embeddings.create(model=MODEL, input="quarterly secret zq7w")
    assert "zq7w" not in embedding_gateway.log()
