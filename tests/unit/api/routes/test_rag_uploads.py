"""Uploads at the same time, and clients that leave."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.api.asgi import AsgiClient
from tests.unit.api.memory_corpus import MemoryCorpus
from tests.unit.api.rag_application import (
    COLLECTION,
    DOCUMENTS,
    END,
    FORM_TYPE,
    KEY,
    OTHER_KEY,
    PART,
    application,
    client_of,
    store,
)


def upload(text: bytes, *, key: str = KEY) -> AsgiClient:
    body = COLLECTION + PART % (b"file", b'; filename="a.txt"', text) + END
    client = AsgiClient(
        [body[:100], body[100:]],
        path=DOCUMENTS,
        headers=[(b"authorization", f"Bearer {key}".encode()), (b"content-type", FORM_TYPE["Content-Type"].encode())],
    )
    client.scope["query_string"] = b""
    return client


async def waiting(corpus: MemoryCorpus, count: int) -> None:
    async with asyncio.timeout(5):
        while corpus.held != count:  # noqa: ASYNC110 - polled, so that the fake stays simple
            await asyncio.sleep(0.001)


async def test_leaving_ends_the_ingestion(corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus.hold = asyncio.Event()
    app, client = application(corpus, monkeypatch), upload(b"text")
    asking = asyncio.create_task(client.ask(app))
    await waiting(corpus, 1)
    client.leave()
    async with asyncio.timeout(5):
        answer = await asking
    assert (corpus.held, corpus.rows, answer.status) == (0, {}, 499)


async def test_beyond_the_shared_places_each_tenant_has_one(
    corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus.hold = asyncio.Event()
    app = application(corpus, monkeypatch, RAG_UPLOADS_PER_WORKER="2")
    ours = [asyncio.create_task(upload(b"text %d" % each).ask(app)) for each in range(2)]
    await waiting(corpus, 2)
    refused = await upload(b"a third").ask(app)
    assert (refused.status, refused.error["code"], refused.header("retry-after")) == (429, "too_many_uploads", "1")
    theirs = [asyncio.create_task(upload(b"text", key=OTHER_KEY).ask(app))]
    await waiting(corpus, 3)
    refused = await upload(b"a second", key=OTHER_KEY).ask(app)
    assert refused.error["code"] == "too_many_uploads"
    corpus.hold.set()
    assert [answer.status for answer in await asyncio.gather(*ours, *theirs)] == [201, 201, 201]
    assert (await upload(b"a third").ask(app)).status == 201


async def test_what_became_of_a_request_is_counted(corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(corpus, monkeypatch)
    async with client_of(app) as ours, client_of(app, "wrong") as stranger:
        await store(ours, "one\ntwo\nthree")
        await stranger.get("/v1/rag/collections/x")
        await ours.get("/v1/rag/collections/x")
        corpus.hold = asyncio.Event()
        leaving = upload(b"text")
        asking = asyncio.create_task(leaving.ask(app))
        await waiting(corpus, 1)
        leaving.leave()
        await asking
        corpus.error = KeyError("a mistake of ours")
        assert (await ours.get("/v1/rag/collections")).json()["error"]["code"] == "internal_error"
        exposed = (await ours.get("/metrics")).text
    assert 'gateway_rag_stored_chunks_total{tenant="ours"} 3.0' in exposed
    for route, tenant, outcome in (
        ("rag/documents", "ours", "ok"),
        ("rag/documents", "ours", "cancelled"),
        ("rag/collections", "none", "invalid_api_key"),
        ("rag/collections", "ours", "not_found"),
        ("rag/collections", "ours", "internal_error"),
    ):
        series = f'gateway_requests_total{{model="none",outcome="{outcome}",route="{route}",tenant="{tenant}"}} 1.0'
        assert series in exposed, series
