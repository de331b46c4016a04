"""A corpus in memory behind the whole application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.api.memory_corpus import MemoryCorpus
from tests.unit.api.rag_application import application, client_of


@pytest.fixture
def corpus() -> MemoryCorpus:
    return MemoryCorpus()


@pytest.fixture
async def client(corpus: MemoryCorpus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(application(corpus, monkeypatch)) as found:
        yield found
