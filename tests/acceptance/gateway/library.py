"""A tenant's documents as a client sees them, and documents of every format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fpdf import FPDF
from fpdf.enums import AccessPermission, EncryptionMethod

from tests.acceptance.gateway.processes import Gateway

DOCUMENTS, COLLECTIONS, QUERY = "/v1/rag/documents", "/v1/rag/collections", "/v1/rag/query"
LINES = {"Accept": "application/x-ndjson"}


@dataclass(frozen=True)
class Library:
    gateway: Gateway
    client: httpx.Client

    def upload(self, data: bytes, filename: str, *, collection: str = "papers", **headers: str) -> httpx.Response:
        return self.client.post(
            DOCUMENTS, data={"collection": collection}, files={"file": (filename, data)}, headers=headers
        )

    def stored(self, data: bytes, filename: str, *, collection: str = "papers") -> dict[str, Any]:
        answer = self.upload(data, filename, collection=collection)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def passages(self, question: str, *, collection: str = "papers", **fields: Any) -> list[dict[str, Any]]:
        answer = self.client.post(QUERY, json={"collection": collection, "question": question, **fields})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["passages"]
        return found

    def listed(self, *, collection: str = "papers", **params: Any) -> list[str]:
        """The ids of a page, or nothing where there is no such collection."""
        answer = self.client.get(DOCUMENTS, params={"collection": collection, **params})
        if answer.status_code == 404:
            return []
        assert answer.status_code == 200, answer.text
        return [document["id"] for document in answer.json()["data"]]


@contextmanager
def library(gateway: Gateway, key: str) -> Iterator[Library]:
    with gateway.client(key, timeout_s=60) as client:
        yield Library(gateway, client)


def error_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["param"], error["code"]


def last_line(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.text.splitlines()[-1])
    return found


def pdf(*pages: str, password: str | None = None) -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=12)
    if password is not None:
        document.set_encryption(
            owner_password=f"{password}-of-the-owner",
            user_password=password,
            encryption_method=EncryptionMethod.RC4,
            permissions=AccessPermission.none(),
        )
    for page in pages:
        document.add_page()
        document.multi_cell(0, 8, page)
    return bytes(document.output())


def long_text(paragraphs: int) -> bytes:
    """Each paragraph about something else, so that it is some pieces and takes some time to embed."""
    lines = [
        f"Paragraph {each}. The warehouse number {each * 7} keeps {each * 13} crates of spare part {each * 31}, "
        "which are counted every month by two people who sign the list and hand it to the office. " * 3
        for each in range(paragraphs)
    ]
    return "\n\n".join(lines).encode()


# What each says of the delivery time, in the words and the wrapping of its format.
FORMATS: dict[str, bytes] = {
    "terms.txt": b"Delivery times\n\nA replacement pump is delivered within 17 working days.",
    "terms.md": b"# Terms\n\n## Delivery\n\nA replacement pump is delivered within 17 working days.\n\n"
    b"| part | days |\n|---|---|\n| valve | 3 |\n",
    "terms.html": b"<!doctype html><html><head><title>Terms</title><script>var x = 'script';</script></head><body>"
    b"<h1>Delivery</h1><p>A replacement pump is delivered within <b>17</b> working days.</p></body></html>",
    "terms.csv": b"part,delivery time\nreplacement pump,17 working days\nvalve,3 working days\n",
    "terms.pdf": pdf("Introduction to our terms.", "A replacement pump is delivered within 17 working days."),
}
