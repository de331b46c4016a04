"""Documents through a real gateway: in, listed, found, and gone."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.library import (
    COLLECTIONS,
    DOCUMENTS,
    FORMATS,
    LINES,
    QUERY,
    Library,
    error_of,
    last_line,
    library,
    pdf,
)
from tests.acceptance.gateway.raw_http import chunked, exchange, read_answer, request

PUMP = "How long does the delivery of a replacement pump take?"


@pytest.fixture
def ours(tenant: Tenant) -> Iterator[Library]:
    with library(tenant.gateway, tenant_key(tenant.name)) as found:
        yield found


@pytest.fixture
def theirs(neighbour: Tenant) -> Iterator[Library]:
    with library(neighbour.gateway, tenant_key(neighbour.name)) as found:
        yield found


@pytest.mark.parametrize("filename", FORMATS)
def test_every_format_is_stored_found_and_known_again(ours: Library, filename: str) -> None:
    document = ours.stored(FORMATS[filename], filename)
    assert (document["filename"], document["collection"]) == (filename, "papers")
    assert document["bytes"] == len(FORMATS[filename])
    assert document["chunks"] >= 1
    best, *_ = ours.passages(PUMP)
    assert (best["document_id"], best["filename"]) == (document["id"], filename)
    assert "17" in best["text"]
    assert best["page"] == (2 if filename.endswith(".pdf") else None)
    again = ours.upload(FORMATS[filename], f"copy-of-{filename}")
    assert (again.status_code, again.json()) == (200, document)
    assert ours.listed() == [document["id"]]
    assert ours.client.get(f"{DOCUMENTS}/{document['id']}").json() == document


def test_a_text_may_come_as_json_and_progress_in_lines(ours: Library) -> None:
    body = {"collection": "papers", "filename": "n\u00f6te.md", "text": "# N\u00f6te\n\nThe \u20ac rate is 1.09."}
    answer = ours.client.post(DOCUMENTS, json=body, headers=LINES)
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/x-ndjson")
    document = last_line(answer)
    assert (document["object"], document["filename"]) == ("rag.document", "n\u00f6te.md")
    first, *_ = answer.text.splitlines()
    assert first == '{"chunks_done":1,"chunks_total":1}'
    assert "1.09" in ours.passages("What is the rate of the euro?")[0]["text"]


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4"])
def test_every_version_finds_passages(ours: Library, version: str) -> None:
    for filename, data in FORMATS.items():
        ours.stored(data, filename)
    answer = ours.client.post(
        QUERY, json={"collection": "papers", "question": PUMP, "version": version, "top_k": 2}
    ).json()
    assert (answer["object"], answer["version"], answer["degraded"]) == ("rag.passages", version, [])
    assert len(answer["passages"]) == 2
    assert any("17" in passage["text"] for passage in answer["passages"])


def test_a_follow_up_is_understood_from_what_was_asked_before(ours: Library) -> None:
    ours.stored(b"# Q3\n\nRevenue of Calder Tools in Q3 2024 was 41 million.", "q3.md")
    ours.stored(b"# Q4\n\nRevenue of Calder Tools in Q4 2024 was 57 million.", "q4.md")
    earlier = ["What was the revenue of Calder Tools in Q3 2024?"]
    body = {"collection": "papers", "question": "and in Q4?", "earlier": earlier, "top_k": 1}
    answer = ours.client.post(QUERY, json=body).json()
    assert "57" in answer["passages"][0]["text"]
    assert "Calder Tools" in answer["question"]


def test_lists_are_read_page_by_page_and_deleted_documents_are_gone_at_once(ours: Library) -> None:
    ids = [ours.stored(f"Note {each} of seven.".encode(), f"{each}.txt")["id"] for each in range(7)][::-1]
    assert ours.listed() == ids
    assert ours.listed(limit=3) == ids[:3]
    assert ours.listed(limit=3, after=ids[2]) == ids[3:6]
    last = ours.client.get(DOCUMENTS, params={"collection": "papers", "limit": 3, "after": ids[5]}).json()
    assert (last["has_more"], [document["id"] for document in last["data"]]) == (False, ids[6:])
    for each in ids:
        deleted = ours.client.delete(f"{DOCUMENTS}/{each}")
        assert deleted.json() == {"id": each, "object": "rag.document", "deleted": True}
        found = {passage["document_id"] for passage in ours.passages("Which note of seven?", top_k=20)}
        assert found == set(ids[ids.index(each) + 1 :])
        for method in ("GET", "DELETE"):
            again = ours.client.request(method, f"{DOCUMENTS}/{each}")
            assert error_of(again) == (404, "document_id", "document_not_found")
    # The collection stays, and takes the same bytes again.
    assert ours.client.get(f"{COLLECTIONS}/papers").json()["documents"] == 0
    assert ours.stored(b"Note 0 of seven.", "0.txt")["id"] not in ids


def test_collections_are_counted_and_deleted_with_all_they_hold(ours: Library) -> None:
    stored = ours.stored(FORMATS["terms.md"], "terms.md")
    ours.stored(b"Another thing.", "x.txt", collection="other")
    listed = ours.client.get(COLLECTIONS).json()["data"]
    assert [each["name"] for each in listed] == ["other", "papers"]
    papers = ours.client.get(f"{COLLECTIONS}/papers").json()
    assert papers == listed[1]
    assert (papers["documents"], papers["chunks"], papers["dimensions"]) == (1, stored["chunks"], 384)
    assert "MiniLM" in papers["embedder"]
    gone = ours.client.delete(f"{COLLECTIONS}/papers")
    assert gone.json() == {"name": "papers", "object": "rag.collection", "deleted": True}
    assert ours.client.get(f"{DOCUMENTS}/{stored['id']}").status_code == 404
    question = {"collection": "papers", "question": PUMP}
    assert error_of(ours.client.post(QUERY, json=question)) == (404, "collection", "collection_not_found")
    assert [each["name"] for each in ours.client.get(COLLECTIONS).json()["data"]] == ["other"]
    # One of the same name begins anew, and is never taken for the old one.
    ours.stored(FORMATS["terms.md"], "terms.md")
    assert ours.client.get(f"{COLLECTIONS}/papers").json()["version"] > papers["version"]


def test_another_tenant_finds_nothing_whatever_it_asks(ours: Library, theirs: Library) -> None:
    document = ours.stored(FORMATS["terms.md"], "terms.md")
    for method, path in (
        ("GET", f"{DOCUMENTS}/{document['id']}"),
        ("DELETE", f"{DOCUMENTS}/{document['id']}"),
        ("GET", f"{DOCUMENTS}?collection=papers"),
        ("GET", f"{COLLECTIONS}/papers"),
        ("DELETE", f"{COLLECTIONS}/papers"),
    ):
        assert theirs.client.request(method, path).status_code == 404, path
    question = {"collection": "papers", "question": PUMP}
    assert theirs.client.post(QUERY, json=question).status_code == 404
    assert theirs.client.get(COLLECTIONS).json()["data"] == []
    # The same bytes under the same names are a document of their own.
    own = theirs.stored(FORMATS["terms.md"], "terms.md")
    assert own["id"] != document["id"]
    after = theirs.client.get(DOCUMENTS, params={"collection": "papers", "after": document["id"]})
    assert error_of(after) == (404, "after", "document_not_found")
    assert theirs.client.delete(f"{DOCUMENTS}/{own['id']}").status_code == 200
    assert [passage["document_id"] for passage in ours.passages(PUMP, top_k=1)] == [document["id"]]


UNREADABLE = {
    "encrypted.pdf": (pdf("Nobody reads this.", password="secret"), 400, "encrypted_document"),
    "damaged.pdf": (FORMATS["terms.pdf"][:400], 400, "damaged_document"),
    "no-pdf.pdf": (b"This is no PDF at all.", 400, "damaged_document"),
    "scan.pdf": (pdf(""), 400, "empty_document"),
    "empty.txt": (b"", 400, "empty_document"),
    "blank.txt": (b" \n\t\r\n ", 400, "empty_document"),
    "picture.txt": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, 400, "unsupported_document"),
    "archive.docx": (b"PK\x03\x04" + bytes(range(256)) * 20, 400, "unsupported_document"),
}


@pytest.mark.parametrize("filename", UNREADABLE)
def test_what_cannot_be_read_is_told_why_and_leaves_nothing(ours: Library, filename: str) -> None:
    data, status, code = UNREADABLE[filename]
    for headers in ({}, LINES):
        assert error_of(ours.upload(data, filename, **headers)) == (status, "file", code)
    assert ours.listed() == []
    assert ours.client.get(COLLECTIONS).json()["data"] == []


def test_bytes_that_are_no_text_are_no_text_whatever_they_are_called(ours: Library) -> None:
    answer = ours.upload(bytes(range(256)) * 40, "notes.txt")
    assert error_of(answer) == (400, "file", "damaged_document")
    assert ours.listed() == []


@pytest.mark.parametrize("name", ["", "Papers", "../x", "a b", "x" * 64, "p%00"])
def test_a_collection_has_a_plain_name(ours: Library, name: str) -> None:
    assert error_of(ours.upload(b"text", "a.txt", collection=name)) == (400, "collection", "invalid_value")
    listed = ours.client.get(DOCUMENTS, params={"collection": name})
    assert error_of(listed) == (400, "collection", "invalid_value")


def test_forms_that_lack_something_or_are_none(ours: Library) -> None:
    form: dict[str, tuple[str | None, bytes]] = {"collection": (None, b"papers"), "file": ("a.txt", b"text")}
    for missing in form:
        answer = ours.client.post(DOCUMENTS, files={name: part for name, part in form.items() if name != missing})
        assert error_of(answer) == (400, missing, "missing_required_parameter")
    typed = {"Content-Type": "multipart/form-data; boundary=x"}
    assert error_of(ours.client.post(DOCUMENTS, content=b"nonsense", headers=typed))[1:] == (
        "body",
        "invalid_multipart",
    )
    zipped = ours.client.post(
        DOCUMENTS,
        content=gzip.compress(b"{}"),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert error_of(zipped) == (415, "Content-Encoding", "unsupported_media_type")
    assert error_of(ours.client.post(DOCUMENTS, content=b"%PDF-1.7", headers={"Content-Type": "application/pdf"})) == (
        415,
        "Content-Type",
        "unsupported_media_type",
    )
    assert ours.listed() == []


def upload_line(ours: Library) -> tuple[bytes, bytes, str]:
    key = str(ours.client.headers["authorization"]).removeprefix("Bearer ")
    return f"POST {DOCUMENTS} HTTP/1.1".encode(), b"multipart/form-data; boundary=x", key


def test_two_hundred_megabytes_are_refused_before_they_are_read(ours: Library) -> None:
    line, kind, key = upload_line(ours)
    announced = request(b"--x\r\n", line=line, content_type=kind, key=key, length=200_000_000)
    with closing(socket.create_connection(("127.0.0.1", ours.gateway.port), timeout=15)) as connection:
        connection.sendall(announced)
        answer = read_answer(connection)
    assert (answer.status, answer.error()["code"]) == (413, "body_too_large")


def test_ten_megabytes_without_a_length_are_refused_when_they_are_too_many(ours: Library) -> None:
    line, kind, key = upload_line(ours)
    parts = [b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n', *[b"a" * 100_000] * 101]
    streamed = request(
        chunked(parts), b"Transfer-Encoding: chunked", line=line, content_type=kind, key=key, length=None
    )
    answer = exchange(ours.gateway.port, streamed)
    assert (answer.status, answer.error()["code"]) == (413, "body_too_large")
