"""What is made in a database, by whom, and what is said where that cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from rag.errors import CorpusUnavailable
from rag.store.schema import CorpusSchema, SchemaError, sql_of
from tests.integration.rag.store.workshop import Workshop, search, store, vector


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Workshop]:
    place = Workshop(empty_url)
    yield place
    await place.aclose()


@pytest.fixture
def ordinary(empty: Workshop) -> Iterator[str]:
    """The address of `empty` for a user without any rights of the server, who owns that database."""
    name = f"user_{uuid4().hex}"
    empty.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    ((database,),) = empty.execute("SELECT current_database()")
    empty.execute("CREATE EXTENSION vector")
    empty.execute(f"ALTER DATABASE {database} OWNER TO {name}")
    yield make_conninfo(empty.url, user=name, password="secret")
    empty.execute(f"REASSIGN OWNED BY {name} TO postgres")
    empty.execute(f"DROP OWNED BY {name}")
    empty.execute(f"DROP ROLE {name}")


async def prepare(url: str) -> CorpusSchema:
    schema = CorpusSchema(statement_timeout_s=5)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await schema.prepare(connection)
    return schema


async def test_many_workers_make_it_at_once_and_again(empty: Workshop, tenant: str) -> None:
    made = await asyncio.gather(*(prepare(empty.url) for _ in range(6)))
    assert all(schema.words_are_indexed for schema in made)
    corpora = [empty.corpus() for _ in range(4)]
    await asyncio.gather(
        *(store(corpus, tenant, "docs", ["one"], name=f"{number}.md") for number, corpus in enumerate(corpora))
    )
    await prepare(empty.url)
    assert len((await search(corpora[0], tenant, "docs", vector=vector(1), words=("one",)))[1]) == 4


async def test_tables_that_are_lost_are_made_anew(empty: Workshop, tenant: str) -> None:
    corpus = empty.corpus()
    await store(corpus, tenant, "docs", ["one"])
    await corpus.check()
    empty.execute("DROP SCHEMA rag CASCADE")
    with pytest.raises(CorpusUnavailable):
        await corpus.check()
    async with asyncio.timeout(10):
        while True:
            try:
                await corpus.check()
                break
            except CorpusUnavailable:
                await asyncio.sleep(0.02)
    await store(corpus, tenant, "docs", ["one"])
    assert await search(corpus, tenant, "docs", words=("one",)) == ([], ["one"])


async def test_a_schema_of_another_release_is_left_alone(empty: Workshop) -> None:
    await prepare(empty.url)
    empty.execute("UPDATE rag.schema_version SET version = 99")
    with pytest.raises(SchemaError, match="version 99"):
        await prepare(empty.url)


async def test_an_ordinary_user_is_bound_as_owner(empty: Workshop, ordinary: str, tenant: str) -> None:
    corpus = empty.corpus(ordinary)
    await store(corpus, tenant, "docs", ["mine"], vectors=[vector(1)])
    await store(corpus, f"other-{tenant}", "docs", ["theirs"], vectors=[vector(1)])
    assert await search(corpus, tenant, "docs", vector=vector(1), words=("mine",)) == (["mine"], ["mine"])
    with psycopg.connect(ordinary) as connection:
        assert connection.execute("SELECT count(*) FROM rag.chunks_8").fetchone() == (0,)
        connection.execute("SELECT set_config('rag.tenant', %s, true)", (tenant,))
        assert connection.execute("SELECT text FROM rag.chunks_8").fetchall() == [("mine",)]


async def test_an_ordinary_user_searches_words_in_an_index_if_a_superuser_has_helped(
    empty: Workshop, ordinary: str, tenant: str
) -> None:
    empty.execute(sql_of("words_operator").decode())
    with psycopg.connect(ordinary) as connection:
        user = connection.info.user
    empty.execute(f"GRANT USAGE, CREATE ON SCHEMA rag TO {user}")
    corpus = empty.corpus(ordinary)
    await store(corpus, tenant, "docs", ["mine"])
    assert await search(corpus, tenant, "docs", words=("mine",)) == ([], ["mine"])
    assert empty.execute("SELECT to_regclass('rag.chunks_8_words') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("grants", [False, True], ids=["not its own role", "its own role"])
async def test_a_user_who_may_make_roles_runs_as_the_tenants_role_if_it_can(
    empty: Workshop, ordinary: str, corpus_url: str, tenant: str, grants: bool
) -> None:
    """The role belongs to the server: another database's superuser has made it."""
    await prepare(corpus_url)
    with psycopg.connect(ordinary) as connection:
        user = connection.info.user
    empty.execute(f"ALTER ROLE {user} CREATEROLE")
    if grants:
        empty.execute(f"GRANT rag_tenant TO {user} WITH ADMIN OPTION")
    corpus = empty.corpus(ordinary)
    await store(corpus, tenant, "docs", ["mine"], vectors=[vector(1)])
    await store(corpus, f"other-{tenant}", "docs", ["theirs"], vectors=[vector(1)])
    assert await search(corpus, tenant, "docs", vector=vector(1)) == (["mine"], [])
    async with await psycopg.AsyncConnection.connect(ordinary, autocommit=True) as connection:
        await CorpusSchema(statement_timeout_s=5).adopt(connection)
        who = await (await connection.execute("SELECT current_user, (SELECT count(*) FROM rag.chunks_8)")).fetchone()
    assert who == ("rag_tenant" if grants else user, 0)


async def test_a_user_who_may_not_make_tables_is_told_so(empty: Workshop) -> None:
    name = f"user_{uuid4().hex}"
    empty.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    url = make_conninfo(empty.url, user=name, password="secret")
    try:
        with pytest.raises(SchemaError, match="CREATE EXTENSION vector"):
            await prepare(url)
        empty.execute("CREATE EXTENSION vector")
        with pytest.raises(SchemaError, match="CREATE on the database"):
            await prepare(url)
    finally:
        empty.execute(f"DROP ROLE {name}")


async def test_a_user_who_sees_all_rows_must_have_the_role(empty: Workshop, ordinary: str) -> None:
    with psycopg.connect(ordinary) as connection:
        user = connection.info.user
    empty.execute(f"ALTER ROLE {user} BYPASSRLS")
    with pytest.raises(SchemaError, match="GRANT rag_tenant"):
        await prepare(ordinary)
