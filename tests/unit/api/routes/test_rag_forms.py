"""Forms and JSON that make no sense: each a 4xx that names what."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.api.memory_corpus import MemoryCorpus
from tests.unit.api.rag_application import (
    COLLECTION,
    DOCUMENTS,
    END,
    FILE,
    FORM_TYPE,
    PART,
    error_of,
)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (FILE + END, "collection", "missing_required_parameter"),
        (COLLECTION + END, "file", "missing_required_parameter"),
        (b"", "body", "invalid_multipart"),
        (COLLECTION + FILE[:-2], "body", "invalid_multipart"),
        (COLLECTION + FILE, "body", "invalid_multipart"),
        (COLLECTION + FILE + PART % (b"chunk_size", b"", b"9") + END, "chunk_size", "unknown_parameter"),
        (COLLECTION + COLLECTION + FILE + END, "collection", "invalid_value"),
        (COLLECTION + FILE + FILE + END, "file", "invalid_value"),
        (COLLECTION + PART % (b"file", b"", b"text") + END, "file", "invalid_value"),
        (COLLECTION + PART % (b"file", b'; filename=""', b"text") + END, "file", "invalid_value"),
        (COLLECTION + PART % (b"file", b'; filename="a\x07.txt"', b"text") + END, "file", "invalid_value"),
        (COLLECTION + PART % (b"file", '; filename="a\u202etxt.exe"'.encode(), b"text") + END, "file", "invalid_value"),
        (COLLECTION + PART % (b"file", b'; filename="' + b"a" * 256 + b'"', b"text") + END, "file", "invalid_value"),
        (PART % (b"collection", b'; filename="c"', b"reports") + FILE + END, "collection", "invalid_value"),
        *((PART % (b"collection", b"", name) + FILE + END, "collection", "invalid_value")
          for name in (b"", b"Reports", b"-x", b"a b", b"../x", b"x" * 64, b"a\n", b"a\x00", b"\xff")),
        (b"no part at all", "body", "invalid_multipart"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + END, "body", "invalid_multipart"),
        (b"--x\r\nnonsense\r\n\r\n1\r\n" + END, "body", "invalid_multipart"),
        (b"".join(PART % (b"f%d" % each, b"", b"") for each in range(20)) + END, "body", "invalid_multipart"),
        (PART % (b"collection", b"", b"r" * 70_000) + FILE + END, "body", "invalid_multipart"),
    ],
)  # fmt: skip
async def test_a_form_that_makes_no_sense_is_told_why(
    client: httpx.AsyncClient, corpus: MemoryCorpus, body: bytes, param: str, code: str
) -> None:
    answer = await client.post(DOCUMENTS, content=body, headers=FORM_TYPE)
    assert error_of(answer) == (400, param, code), answer.text
    assert corpus.sent == []


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"filename": "a", "text": "b"}, "collection", "missing_required_parameter"),
        ({"collection": "c", "text": "b"}, "filename", "missing_required_parameter"),
        ({"collection": "c", "filename": "a"}, "text", "missing_required_parameter"),
        ({"collection": "c", "filename": "a", "text": 5}, "text", "invalid_value"),
        ({"collection": "C", "filename": "a", "text": "b"}, "collection", "invalid_value"),
        ({"collection": "c\n", "filename": "a", "text": "b"}, "collection", "invalid_value"),
        ({"collection": "c", "filename": "x/", "text": "b"}, "filename", "invalid_value"),
        ({"collection": "c", "filename": "a\x00", "text": "b"}, "filename", "invalid_value"),
        ({"collection": "c", "filename": "a", "text": "b", "title": "t"}, "title", "unknown_parameter"),
        ({"collection": "c", "filename": "a", "text": "b", "`" * 5000: "t"}, "`" * 100, "unknown_parameter"),
        ([], "body", "invalid_json"),
    ],
)
async def test_json_that_makes_no_sense_is_told_why(
    client: httpx.AsyncClient, corpus: MemoryCorpus, body: Any, param: str, code: str
) -> None:
    answer = await client.post(DOCUMENTS, json=body)
    assert error_of(answer) == (400, param, code), answer.text
    assert corpus.sent == []


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ({"Content-Type": "application/pdf"}, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Content-Encoding"),
        ({**FORM_TYPE, "Content-Encoding": "br"}, "Content-Encoding"),
    ],
)
async def test_other_kinds_of_bodies_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str], param: str
) -> None:
    answer = await client.post(DOCUMENTS, content=COLLECTION + FILE + END, headers=headers)
    assert error_of(answer) == (415, param, "unsupported_media_type")


async def test_a_form_without_a_boundary_is_none(client: httpx.AsyncClient) -> None:
    answer = await client.post(DOCUMENTS, content=COLLECTION, headers={"Content-Type": "multipart/form-data"})
    assert error_of(answer) == (400, "body", "invalid_multipart")
