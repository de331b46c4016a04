"""Documents through the corpus API: stored once, told of, listed, deleted."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest

from rag.errors import (
    CorpusUnavailable,
    DamagedDocument,
    DocumentInProgress,
    DocumentTooLarge,
    EmbedderMismatch,
    EncryptedDocument,
    UnsupportedDocument,
)
from serving.embedders.base import EmbedderTimeout
from tests.unit.api.memory_corpus import MemoryCorpus
from tests.unit.api.rag_application import (
    DOCUMENTS,
    LINES,
    QUERY,
    error_of,
    store,
)


async def test_a_document_is_stored_once(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    first = await store(client)
    assert first.status_code == 201
    assert first.json() == {
        "id": "doc_000000000000000000000000",
        "object": "rag.document",
        "collection": "reports",
        "filename": "q3.txt",
        "title": "Revenue",
        "media_type": "text/plain",
        "bytes": 17,
        "chunks": 2,
        "content_hash": first.json()["content_hash"],
        "created_at": 1767312000,
    }
    assert first.headers["x-ratelimit-remaining-requests"]
    again = await store(client, filename="other-name.txt")
    assert (again.status_code, again.json()) == (200, first.json())
    assert corpus.forgotten == []  # a new version of the collection has no answers yet


async def test_a_document_may_come_as_json(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    body = {"collection": "reports", "filename": "folder/n\u00f6te.md", "text": "# T\u00eftle\nText"}
    answer = await client.post(DOCUMENTS, json=body)
    assert (answer.status_code, answer.json()["filename"]) == (201, "n\u00f6te.md")
    assert corpus.sent == [("n\u00f6te.md", None, "# T\u00eftle\nText".encode())]


@pytest.mark.parametrize(
    ("filename", "stored"),
    [
        ("a b (1).md", "a b (1).md"),
        ("../../etc/passwd", "passwd"),
        ("C:\\docs\\Bericht f\u00fcr Q3.pdf", "Bericht f\u00fcr Q3.pdf"),
    ],
)
async def test_a_file_name_loses_its_folders_only(
    client: httpx.AsyncClient, corpus: MemoryCorpus, filename: str, stored: str
) -> None:
    assert (await store(client, filename=filename)).status_code == 201
    assert corpus.sent[0][0] == stored


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("application/pdf", "application/pdf"),
        ("application/octet-stream", None),
        ("text/html; charset=x", "text/html"),
        ("no sense", None),
    ],
)
async def test_the_media_type_is_what_the_client_knows(
    client: httpx.AsyncClient, corpus: MemoryCorpus, said: str, passed: str | None
) -> None:
    assert (await store(client, media_type=said)).status_code == 201
    assert corpus.sent[0][1] == passed


async def test_progress_comes_in_lines_and_the_document_last(client: httpx.AsyncClient) -> None:
    answer = await store(client, headers=LINES)
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[:-1] == [{"chunks_done": 1, "chunks_total": 2}, {"chunks_done": 2, "chunks_total": 2}]
    assert (lines[-1]["object"], answer.text[-1]) == ("rag.document", "\n")
    known = await store(client, headers=LINES)
    assert (known.status_code, known.headers["content-type"]) == (200, "application/x-ndjson")
    assert [json.loads(line) for line in known.text.splitlines()] == lines[-1:]


async def test_an_error_before_the_first_line_is_a_plain_one(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    corpus.error = DamagedDocument("The PDF is damaged.")
    assert error_of(await store(client, headers=LINES)) == (400, "file", "damaged_document")


async def test_a_later_error_is_the_last_line(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    corpus.error, corpus.fail_after = CorpusUnavailable("10.0.0.1 is away"), 1
    answer = await store(client, headers=LINES)
    assert answer.status_code == 202
    last = json.loads(answer.text.splitlines()[-1])
    assert last["error"]["code"] == "corpus_unavailable"
    assert "10.0.0.1" not in answer.text
    assert corpus.rows == {}


async def test_a_mistake_of_ours_after_the_first_line_is_told_and_logged(
    client: httpx.AsyncClient, corpus: MemoryCorpus, caplog: pytest.LogCaptureFixture
) -> None:
    corpus.error, corpus.fail_after = KeyError("slots"), 1
    answer = await store(client, headers=LINES)
    assert json.loads(answer.text.splitlines()[-1])["error"]["code"] == "internal_error"
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == ["unhandled error"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnsupportedDocument("No such format."), (400, "file", "unsupported_document")),
        (EncryptedDocument("It needs a password."), (400, "file", "encrypted_document")),
        (DocumentTooLarge("Too many pages."), (413, "file", "document_too_large")),
        (DocumentInProgress("It is being stored."), (409, "file", "document_in_progress")),
        (EmbedderMismatch(collection="reports", stored="a", current="b"), (409, "collection", "embedder_mismatch")),
        (CorpusUnavailable("10.0.0.1"), (503, None, "corpus_unavailable")),
        (EmbedderTimeout("10.0.0.1"), (503, None, "embedder_unavailable")),
        (TimeoutError(), (504, None, "upstream_timeout")),
    ],
)
async def test_what_the_corpus_cannot_do_has_an_error_of_its_own(
    client: httpx.AsyncClient, corpus: MemoryCorpus, error: Exception, expected: tuple[int, str | None, str]
) -> None:
    corpus.error = error
    answer = await store(client)
    assert error_of(answer) == expected
    assert "10.0.0.1" not in answer.text
    assert answer.headers["x-ratelimit-remaining-requests"]
    assert ("retry-after" in answer.headers) == (expected[0] == 503)


async def test_a_list_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    ids = [(await store(client, f"text {each}")).json()["id"] for each in range(5)][::-1]
    first = (await client.get(DOCUMENTS, params={"collection": "reports", "limit": 2})).json()
    assert (first["object"], first["has_more"], first["first_id"], first["last_id"]) == ("list", True, *ids[:2])
    seen = [each["id"] for each in first["data"]]
    while first["has_more"]:
        params = {"collection": "reports", "limit": 2, "after": first["last_id"]}
        first = (await client.get(DOCUMENTS, params=params)).json()
        seen += [each["id"] for each in first["data"]]
    assert seen == ids


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (400, "collection", "missing_required_parameter")),
        ({"collection": "Reports"}, (400, "collection", "invalid_value")),
        ({"collection": "reports\n"}, (400, "collection", "invalid_value")),
        ({"collection": "reports", "limit": 0}, (400, "limit", "invalid_value")),
        ({"collection": "reports", "limit": 101}, (400, "limit", "invalid_value")),
        ({"collection": "reports", "after": "doc_" + "f" * 24}, (404, "after", "document_not_found")),
        ({"collection": "reports", "after": "\x00"}, (404, "after", "document_not_found")),
        ({"collection": "others"}, (404, "collection", "collection_not_found")),
    ],
)
async def test_a_list_that_is_not_there(
    client: httpx.AsyncClient, params: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert (await store(client)).status_code == 201
    assert error_of(await client.get(DOCUMENTS, params=params)) == expected


async def test_a_document_goes_for_good(client: httpx.AsyncClient, corpus: MemoryCorpus) -> None:
    stored = (await store(client)).json()
    where = f"{DOCUMENTS}/{stored['id']}"
    assert (await client.get(where)).json() == stored
    corpus.forgotten.clear()
    deleted = await client.delete(where)
    assert (deleted.status_code, deleted.json()) == (
        200, {"id": stored["id"], "object": "rag.document", "deleted": True}
    )  # fmt: skip
    assert corpus.forgotten == [("ours", "reports")]
    for method in ("GET", "DELETE"):
        assert error_of(await client.request(method, where)) == (404, "document_id", "document_not_found")


@pytest.mark.parametrize("what", ["documents", "collections"])
async def test_what_may_be_gone_answers_no_more(client: httpx.AsyncClient, corpus: MemoryCorpus, what: str) -> None:
    """A store that is late has deleted perhaps, and the second attempt finds nothing to delete."""
    stored = (await store(client)).json()
    where = f"{DOCUMENTS}/{stored['id']}" if what == "documents" else f"{DOCUMENTS[:-9]}collections/reports"
    corpus.forgotten.clear()
    corpus.late = CorpusUnavailable("late")
    assert (await client.delete(where)).status_code == 503
    assert corpus.forgotten == [("ours", "reports")]
    assert (await client.delete(where)).status_code == 404
    assert corpus.forgotten == [("ours", "reports")]


async def test_neither_names_nor_texts_are_logged(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        stored = (await store(client, "a very private line", filename="salaries.txt")).json()
        await client.post(QUERY, json={"collection": "reports", "question": "private?"})
        await client.delete(f"{DOCUMENTS}/{stored['id']}")
    told = json.dumps([vars(record) for record in caplog.records], default=str)
    assert "document stored" in told
    assert "document deleted" in told
    assert "salaries" not in told
    assert "private" not in told
