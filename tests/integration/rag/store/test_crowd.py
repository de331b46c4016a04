"""More questions at once than Postgres can answer in time: those that are late fail, and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter

import psycopg
import pytest

from rag.errors import CorpusUnavailable
from rag.store.statements import rows_of, run
from rag.types import Search
from tests.integration.rag.store.workshop import Workshop, store, vector


async def test_a_crowd_costs_only_those_that_come_too_late(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus(timeout_s=2.0)
    for _ in range(50):
        try:
            await corpus.collections(tenant)
            break
        except CorpusUnavailable:
            await asyncio.sleep(0.1)
    texts = [f"Paragraph {each} about warehouses and spare parts" for each in range(400)]
    await store(corpus, tenant, "crowd", texts)
    found = await corpus.collection(tenant, "crowd")
    asked = Search(tenant=tenant, collection=found, vector=vector(1.0), words=("warehouses", "parts"), count=10)
    workshop.news.clear()
    outcomes: Counter[str] = Counter()

    async def ask() -> None:
        try:
            await corpus.search(asked)
        except CorpusUnavailable as error:
            outcomes[str(error)] += 1
        else:
            outcomes["found"] += 1

    await asyncio.gather(*(ask() for _ in range(2_500)))
    assert workshop.news == []
    assert outcomes["found"] > 0
    assert await corpus.search(asked)


async def test_a_statement_that_is_too_slow_costs_no_other_call(workshop: Workshop, tenant: str) -> None:
    link = workshop.link(timeout_s=2.0, statement_timeout_s=0.1)
    await link.start()
    workshop.news.clear()

    async def sleep(connection: psycopg.AsyncConnection) -> list[tuple[object, ...]]:
        return await rows_of(connection, tenant, b"SELECT pg_sleep(1.5)", ())

    async def ask(connection: psycopg.AsyncConnection) -> list[tuple[object, ...]]:
        return await rows_of(connection, tenant, b"SELECT current_setting('rag.tenant')", ())

    for _ in range(3):
        with pytest.raises(CorpusUnavailable, match="too long"):
            await run(link, sleep)
        assert await run(link, ask) == [(tenant,)]
    assert workshop.news == []
