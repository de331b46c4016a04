"""Collections, passages, and who may ask how much."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rag.types import RagVersion
from tests.unit.api.memory_corpus import MemoryCorpus
from tests.unit.api.rag_application import (
    DOCUMENTS,
    OTHER_KEY,
    QUERY,
    application,
    client_of,
    error_of,
    store,
)


async def test_collections_are_listed_and_deleted(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    assert (await client.get("/v1/rag/collections")).json() == {"object": "list", "data": []}
    await store(client)
    await store(client, "x", collection="a")
    listed = (await client.get("/v1/rag/collections")).json()["data"]
    assert [each["name"] for each in listed] == ["a", "reports"]
    one = (await client.get("/v1/rag/collections/reports")).json()
    assert one == listed[1]
    assert (one["object"], one["documents"], one["chunks"], one["created_at"]) == ("rag.collection", 1, 2, 1767312000)
    corpus.forgotten.clear()
    deleted = await client.delete("/v1/rag/collections/reports")
    assert deleted.json() == {"name": "reports", "object": "rag.collection", "deleted": True}
    assert corpus.forgotten == [("ours", "reports")]
    for method in ("GET", "DELETE"):
        for name in ("reports", "Reports", "%00", "a%0A"):
            answer = await client.request(method, f"/v1/rag/collections/{name}")
            assert error_of(answer) == (404, "collection", "collection_not_found")


async def test_a_question_finds_passages(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    stored = (await store(client, "Revenue was 5.\nCosts were 4.\nStaff was 3.")).json()
    body = {"collection": "reports", "question": "costs", "version": "v2", "top_k": 1, "earlier": ["And what?"]}
    answer = await client.post(QUERY, json=body)
    assert answer.json() == {
        "object": "rag.passages",
        "question": "And what? costs",
        "version": "v2",
        "passages": [
            {
                "document_id": stored["id"],
                "filename": "q3.txt",
                "title": "Revenue was 5.",
                "headings": ["Top"],
                "page": None,
                "chunk_id": 1,
                "text": "Costs were 4.",
                "score": 1.0,
            }
        ],
        "degraded": ["rerank"],
    }
    usual = (await client.post(QUERY, json={"collection": "reports", "question": "costs"})).json()
    assert (usual["version"], len(usual["passages"])) == ("v4", 2)
    assert [request.version for request, _, _ in corpus.understood] == [RagVersion.V2, RagVersion.V4]


async def test_a_question_costs_its_tokens(client: httpx.AsyncClient) -> None:
    await store(client)
    body = {"collection": "reports", "question": "x" * 4000, "earlier": ["y" * 4000]}
    before, after = [(await client.post(QUERY, json=body)).headers["x-ratelimit-remaining-tokens"] for _ in range(2)]
    assert int(before) - int(after) == 2 * 1001


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"question": "?"}, "collection", "missing_required_parameter"),
        ({"collection": "c"}, "question", "missing_required_parameter"),
        ({"collection": "c", "question": ""}, "question", "invalid_value"),
        ({"collection": "c", "question": "x" * 4001}, "question", "invalid_value"),
        ({"collection": "c", "question": ["?"]}, "question", "invalid_value"),
        ({"collection": "c d", "question": "?"}, "collection", "invalid_value"),
        ({"collection": "c", "question": "?", "version": "v5"}, "version", "invalid_value"),
        ({"collection": "c", "question": "?", "top_k": 0}, "top_k", "invalid_value"),
        ({"collection": "c", "question": "?", "top_k": 21}, "top_k", "invalid_value"),
        ({"collection": "c", "question": "?", "top_k": True}, "top_k", "invalid_value"),
        ({"collection": "c", "question": "?", "earlier": ["?"] * 21}, "earlier", "invalid_value"),
        ({"collection": "c", "question": "?", "earlier": [1]}, "earlier[0]", "invalid_value"),
        ({"collection": "c", "question": "?", "k": 1}, "k", "unknown_parameter"),
    ],
)
async def test_a_question_that_cannot_be_asked(client: httpx.AsyncClient, body: Any, param: str, code: str) -> None:
    assert error_of(await client.post(QUERY, json=body)) == (400, param, code)


async def test_a_question_to_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post(QUERY, json={"collection": "c", "question": "?"})
    assert error_of(answer) == (404, "collection", "collection_not_found")
    answer = await client.post(QUERY, content=b"{}", headers={"Content-Type": "text/plain"})
    assert error_of(answer) == (415, "Content-Type", "unsupported_media_type")


async def test_another_tenant_sees_nothing(corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(corpus, monkeypatch)
    async with client_of(app) as ours, client_of(app, OTHER_KEY) as theirs:
        stored = (await store(ours)).json()
        for method, path in (
            ("GET", f"{DOCUMENTS}/{stored['id']}"),
            ("DELETE", f"{DOCUMENTS}/{stored['id']}"),
            ("GET", f"{DOCUMENTS}?collection=reports"),
            ("GET", "/v1/rag/collections/reports"),
            ("DELETE", "/v1/rag/collections/reports"),
        ):
            assert (await theirs.request(method, path)).status_code == 404
        assert (await theirs.post(QUERY, json={"collection": "reports", "question": "?"})).status_code == 404
        assert (await theirs.get("/v1/rag/collections")).json()["data"] == []
        assert (await ours.get(f"{DOCUMENTS}/{stored['id']}")).status_code == 200


REQUESTS = [
    ("POST", DOCUMENTS),
    ("GET", f"{DOCUMENTS}?collection=c"),
    ("GET", f"{DOCUMENTS}/doc_0"),
    ("DELETE", f"{DOCUMENTS}/doc_0"),
    ("GET", "/v1/rag/collections"),
    ("GET", "/v1/rag/collections/c"),
    ("DELETE", "/v1/rag/collections/c"),
    ("POST", QUERY),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_a_key_and_a_corpus_are_needed(method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(None, monkeypatch)
    async with client_of(app, "wrong") as stranger, client_of(app) as ours:
        assert error_of(await stranger.request(method, path)) == (401, "Authorization", "invalid_api_key")
        assert error_of(await ours.request(method, path)) == (403, None, "rag_disabled")


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_every_request_is_one_of_the_keys_window(
    corpus: MemoryCorpus, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(application(corpus, monkeypatch, RATE_LIMIT_RPM="1", WORKERS="1")) as client:
        assert (await client.get("/v1/rag/collections")).status_code == 200
        body = {"collection": "c", "question": "?"} if path == QUERY else None
        answer = await client.request(method, path, json=body)
        assert answer.status_code == 429
        assert answer.json()["error"]["type"] == "requests"
        assert answer.headers["retry-after"]


async def test_a_body_that_is_too_large(corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(application(corpus, monkeypatch, MAX_BODY_BYTES="2000")) as client:
        for path in (DOCUMENTS, QUERY):
            answer = await client.post(path, json={"text": "x" * 3000})
            assert error_of(answer) == (413, "body", "body_too_large")
        assert error_of(await store(client, "x" * 3000)) == (413, "body", "body_too_large")
