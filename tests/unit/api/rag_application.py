"""The whole application over a corpus in memory, and what is asked of it again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.bootstrap import build
from api.settings import Settings, setting_names
from resilience.limiter.base import Quota
from tests.unit.api.known_keys import keys_of
from tests.unit.api.memory_corpus import MemoryCorpus

KEY, OTHER_KEY = "key-a", "key-b"
DOCUMENTS, QUERY = "/v1/rag/documents", "/v1/rag/query"
LINES = {"Accept": "application/x-ndjson"}


def application(corpus: MemoryCorpus | None, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    usual = {
        "SEMANTIC_CACHE_ENABLED": "false",
        "RAG_ENABLED": "false",
        "RAG_TOP_K": "2",
        "API_KEYS": f"{KEY}:ours,{OTHER_KEY}:theirs",
    }
    for name, value in {**usual, **environment}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(None)
    services = build(settings)
    parts = replace(services.corpus_services, corpus=None if corpus is None else corpus.corpus())
    # Nothing is started here, and a directory that nobody follows knows nobody's keys.
    quota = Quota(settings.limits.rate_limit_rpm, settings.limits.rate_limit_tpm)
    pipeline = replace(services.pipeline, keys=keys_of(settings.keys.tenants_by_key(), quota=quota))
    return create_app(settings, replace(services, corpus_services=parts, pipeline=pipeline))


def client_of(app: Any, key: str = KEY) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://gateway", headers={"Authorization": f"Bearer {key}"}
    )


async def store(client: httpx.AsyncClient, text: str = "Revenue\nIt was 5.", **form: Any) -> httpx.Response:
    data = {"collection": form.get("collection", "reports")}
    file = (form.get("filename", "q3.txt"), text.encode(), form.get("media_type", "text/plain; charset=utf-8"))
    return await client.post(DOCUMENTS, data=data, files={"file": file}, headers=form.get("headers"))


def error_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["code"]


FORM_TYPE = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
END = b"--x--\r\n"
COLLECTION, FILE = PART % (b"collection", b"", b"reports"), PART % (b"file", b'; filename="a.txt"', b"text")
