"""Postgres keeps tenants apart by itself: these tests go past the code that asks for the right tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from rag.errors import UnknownCollection, UnknownDocument
from rag.store.schema import TENANT_ROLE, CorpusSchema
from rag.store.statements import rows_of
from rag.types import Search
from tests.integration.rag.store.workshop import Workshop, search, store, vector

TABLES = ("collections", "documents", "chunks_8")
SECRET = "The merger is called Bluebird."


@pytest.fixture
async def other(workshop: Workshop, tenant: str) -> str:
    """A tenant with a secret; `tenant` has a document of its own."""
    corpus = workshop.corpus()
    other = f"other-{tenant}"
    await store(corpus, other, "docs", [SECRET], vectors=[vector(1)])
    await store(corpus, tenant, "docs", ["Nothing of interest."], vectors=[vector(0, 1)])
    return other


@contextmanager
def as_tenant(workshop: Workshop, tenant: str | None) -> Iterator[psycopg.Connection[Any]]:
    """A transaction in the role that statements of tenants have."""
    with psycopg.connect(workshop.url) as connection:
        connection.execute(f"SET ROLE {TENANT_ROLE}".encode())
        if tenant is not None:
            connection.execute("SELECT set_config('rag.tenant', %s, true)", (tenant,))
        yield connection


def counts(connection: psycopg.Connection[Any]) -> list[int]:
    """Of the rows that are there in each table, to a query without any condition."""
    query = sql.SQL("SELECT count(*) FROM rag.{}")
    return [row[0] for table in TABLES for row in connection.execute(query.format(sql.Identifier(table)))]


async def test_ids_and_names_of_another_tenant_lead_nowhere(workshop: Workshop, tenant: str, other: str) -> None:
    corpus = workshop.corpus()
    ((secret,), _) = await corpus.documents(other, "docs", limit=1)
    theirs = await corpus.collection(other, "docs")
    with pytest.raises(UnknownDocument):
        await corpus.document(tenant, secret.id)
    with pytest.raises(UnknownDocument):
        await corpus.delete_document(tenant, secret.id)
    with pytest.raises(UnknownDocument):
        await corpus.documents(tenant, "docs", limit=1, after=secret.id)
    with pytest.raises(UnknownCollection):
        await corpus.delete_collection(f"third-{tenant}", "docs")
    # Whatever collection a mistaken caller passes on.
    stolen = Search(tenant=tenant, collection=theirs, vector=vector(1), words=("merger",), count=10)
    assert await corpus.search(stolen) == ([], [])
    assert await workshop.corpus(exact_up_to=0).search(stolen) == ([], [])
    assert await search(corpus, other, "docs", vector=vector(1), words=("merger",)) == ([SECRET], [SECRET])


async def test_a_name_that_looks_like_sql_is_a_name(workshop: Workshop, tenant: str, other: str) -> None:
    corpus = workshop.corpus()
    for name in (f"{tenant}' OR tenant = '{other}", f"{tenant}'; SET ROLE postgres; --", "%", "\\"):
        assert await corpus.collections(name) == []
        await store(corpus, name, "docs", ["mine"], vectors=[vector(1)])
        assert await search(corpus, name, "docs", vector=vector(1), words=("merger",)) == (["mine"], [])


@pytest.mark.usefixtures("other")
async def test_no_tenant_sees_nothing(workshop: Workshop) -> None:
    with as_tenant(workshop, None) as connection:
        assert counts(connection) == [0, 0, 0]
    with as_tenant(workshop, "") as connection:
        assert counts(connection) == [0, 0, 0]


async def test_a_forgotten_condition_shows_only_ones_own(workshop: Workshop, tenant: str, other: str) -> None:
    with as_tenant(workshop, tenant) as connection:
        assert counts(connection) == [1, 1, 1]
        asked_for = connection.execute("SELECT text FROM rag.chunks_8 WHERE tenant = %s", (other,))
        assert asked_for.fetchall() == []
        guessed = connection.execute("SELECT text FROM rag.chunks_8 WHERE text LIKE '%Bluebird%' OR id > 0")
        assert guessed.fetchall() == [("Nothing of interest.",)]
        # The graph is of all tenants: whoever does not walk on until enough is found may find nothing of one's own.
        connection.execute("SET LOCAL hnsw.iterative_scan = 'strict_order'")
        nearest = "SELECT text FROM rag.chunks_8 ORDER BY embedding <#> %s::halfvec LIMIT 5"
        assert connection.execute(nearest, ("[1,0,0,0,0,0,0,0]",)).fetchall() == [("Nothing of interest.",)]
        by_word = "SELECT text FROM rag.chunks_8 WHERE words OPERATOR(rag.@@) 'merger'::tsquery"
        assert connection.execute(by_word.encode()).fetchall() == []


@pytest.mark.usefixtures("other")
async def test_a_condition_that_tells_what_it_sees_is_asked_about_own_rows_only(
    workshop: Workshop, tenant: str
) -> None:
    """Division by zero, as a way to learn of a hidden row."""
    with as_tenant(workshop, tenant) as connection:
        tells = "SELECT count(*) FROM rag.chunks_8 WHERE 1 / (length(text) - %s) >= 0"
        assert connection.execute(tells, (len(SECRET),)).fetchone() == (1,)


async def test_other_tenants_rows_cannot_be_changed(workshop: Workshop, tenant: str, other: str) -> None:
    with as_tenant(workshop, tenant) as connection:
        taken = connection.execute("UPDATE rag.collections SET name = 'taken' WHERE tenant = %s", (other,))
        assert taken.rowcount == 0
        changes = {
            "UPDATE rag.chunks_8 SET text = 'changed'": 1,
            "DELETE FROM rag.chunks_8": 1,
            "DELETE FROM rag.documents": 1,
            "DELETE FROM rag.collections": 1,
        }
        for statement, changed in changes.items():
            assert connection.execute(statement.encode()).rowcount == changed, statement
        connection.commit()
    assert await search(workshop.corpus(), other, "docs", vector=vector(1)) == ([SECRET], [])


@pytest.mark.parametrize("table", TABLES)
async def test_no_row_can_be_given_to_another_tenant(workshop: Workshop, tenant: str, other: str, table: str) -> None:
    with as_tenant(workshop, tenant) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(sql.SQL("UPDATE rag.{} SET tenant = %s").format(sql.Identifier(table)), (other,))


async def test_no_row_can_be_planted_with_another_tenant(workshop: Workshop, tenant: str, other: str) -> None:
    planted = "INSERT INTO rag.collections (tenant, name, embedder, dimensions) VALUES (%s, 'planted', 'e', 8)"
    with as_tenant(workshop, tenant) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(planted, (other,))


async def test_nothing_can_be_hung_onto_another_tenants_rows(workshop: Workshop, tenant: str, other: str) -> None:
    """Foreign keys look past policies."""
    ((theirs,),) = workshop.execute("SELECT id FROM rag.collections WHERE tenant = %s", (other,))
    ((document,),) = workshop.execute("SELECT id FROM rag.documents WHERE tenant = %s", (other,))
    with as_tenant(workshop, tenant) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(
            "INSERT INTO rag.documents (id, tenant, collection_id, filename, title, media_type, bytes, chunks, "
            "content_hash) VALUES ('doc_planted', %s, %s, '', '', '', 0, 0, '')",
            (tenant, theirs),
        )
    with as_tenant(workshop, tenant) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(
            "INSERT INTO rag.chunks_8 (tenant, collection_id, document_id, position, filename, title, headings, text, "
            "embedding) VALUES (%s, %s, %s, 0, '', '', '', 'planted', '[1,0,0,0,0,0,0,0]')",
            (tenant, theirs, document),
        )


async def test_the_role_may_neither_own_nor_bypass_nor_make_anything(workshop: Workshop, other: str) -> None:
    ((*rights,),) = workshop.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = %s",
        (TENANT_ROLE,),
    )
    assert not any(rights)
    owned = "SELECT relname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname = %s"
    assert workshop.execute(owned, (TENANT_ROLE,)) == []
    for statement in (
        "ALTER TABLE rag.chunks_8 DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON rag.chunks_8",
        "CREATE TABLE rag.copy AS SELECT FROM rag.chunks_8",
        "TRUNCATE rag.chunks_8",
        "UPDATE rag.schema_version SET version = 0",
        "COPY rag.chunks_8 TO PROGRAM 'cat'",
    ):
        with as_tenant(workshop, other) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.usefixtures("other")
async def test_every_table_is_bound_by_policies_and_closed_to_the_public(workshop: Workshop) -> None:
    tables = workshop.execute(
        "SELECT relname, relrowsecurity AND relforcerowsecurity, COALESCE(relacl::text, '') FROM pg_class "
        "WHERE relnamespace = 'rag'::regnamespace AND relkind = 'r'"
    )
    assert {name for name, _, _ in tables} >= {*TABLES, "schema_version"}
    for name, bound, granted in tables:
        assert bound or name == "schema_version"
        assert "{=" not in granted, name
        assert ",=" not in granted, name
    assert workshop.execute("SELECT has_schema_privilege('public', 'rag', 'USAGE')") == [(False,)]


@pytest.mark.usefixtures("other")
async def test_a_connection_is_nobodys_between_two_calls(workshop: Workshop, tenant: str) -> None:
    schema = CorpusSchema(statement_timeout_s=5)
    async with await psycopg.AsyncConnection.connect(workshop.url, autocommit=True) as connection:
        await schema.prepare(connection)
        await schema.adopt(connection)
        assert await rows_of(connection, tenant, b"SELECT text FROM rag.chunks_8", ()) == [("Nothing of interest.",)]
        left = await (await connection.execute("SELECT count(*), current_user FROM rag.chunks_8")).fetchone()
        assert left == (0, TENANT_ROLE)
