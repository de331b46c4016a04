"""What is made in Postgres, once for a database and once for each number of dimensions; and how connections are set up.

The SQL lies beside this file.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from rag.store.half_vectors import adopt_half_vectors

logger = logging.getLogger(__name__)

VERSION = 1
TENANT_ROLE = "rag_tenant"
# pgvector makes no graph of longer vectors; a collection of them is compared whole.
MOST_DIMENSIONS_OF_A_GRAPH = 4_000
# Longer ones do not fit a page beside the rest of a row.
_MOST_DIMENSIONS_IN_A_ROW = 3_600
_PGVECTOR = (0, 8)
# Any number of workers start at once; Postgres lets one at a time through this lock.
_LOCK = 0x72616773
_FOLDER = Path(__file__).parent
# Asked of the catalogues themselves: to_regclass and the like may remember from before a lock that something was not
# there.
_NAMESPACE: LiteralString = "SELECT FROM pg_namespace WHERE nspname = 'rag'"
_TABLE: LiteralString = "SELECT FROM pg_tables WHERE schemaname = 'rag' AND tablename = %s"
_ROLE: LiteralString = "SELECT FROM pg_roles WHERE rolname = %s"
_WORDS_OPERATOR: LiteralString = """
    SELECT FROM pg_opclass JOIN pg_namespace ON pg_namespace.oid = opcnamespace
    WHERE nspname = 'rag' AND opcname = 'words_ops'
"""


class SchemaError(Exception):
    """The database lacks something that the platform may not make there; the message says what to do."""


class ChunkIndexes(NamedTuple):
    """m and ef_construction of HNSW: how many neighbours each vector has in the graph, and how many are looked at to
    find them.
    """

    m: int = 24
    ef_construction: int = 128


class _Login(NamedTuple):
    name: str
    is_superuser: bool
    may_make_roles: bool
    sees_all: bool
    """Policies do not bind it."""
    is_tenant: bool
    """May run as the role of tenants."""


class CorpusSchema:
    """One for each PostgresLink: `prepare` finds out what is there, `adopt` sets up each connection accordingly."""

    def __init__(
        self,
        *,
        statement_timeout_s: float,
        ef_search: int = 100,
        max_scan_tuples: int = 20_000,
        indexes: ChunkIndexes | None = None,
    ) -> None:
        """`ef_search`: how many chunks a walk of the graph keeps in view; `max_scan_tuples`: how many it looks at
        before it gives up on a collection that is rare among the others.
        """
        self._indexes = indexes or ChunkIndexes()
        self._words_are_indexed = False
        self._settings = {
            "statement_timeout": f"{statement_timeout_s * 1000:.0f}ms",  # who would wait any longer?
            # Plans are made once for all questions, and the choice between them is the query's: the planner knows
            # neither the words nor how many chunks a collection has.
            "plan_cache_mode": "force_generic_plan",
            "enable_sort": "off",
            "enable_seqscan": "off",
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.ef_search": str(ef_search),
            "hnsw.max_scan_tuples": str(max_scan_tuples),
        }

    @property
    def words_are_indexed(self) -> bool:
        """As the last `prepare` has found it."""
        return self._words_are_indexed

    async def prepare(self, connection: psycopg.AsyncConnection) -> None:
        """Make what is missing, any number of workers at once. Raises SchemaError."""
        await _check_pgvector(connection)
        try:
            if await _version(connection) != VERSION:
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                    await _make(connection)
            login = await _login(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SchemaError(
                f"the database user may not make the tables of the corpus ({error.diag.message_primary}): grant it "
                "CREATE on the database, or start the platform once as a user who may"
            ) from error
        if login.sees_all and not login.is_tenant:
            raise SchemaError(
                f"the database user {login.name} sees the rows of every tenant (BYPASSRLS): "
                f"GRANT {TENANT_ROLE} TO {login.name}, or use another one"
            )
        self._words_are_indexed = await _exists(connection, _WORDS_OPERATOR)
        if not self._words_are_indexed:
            logger.warning(
                "keyword search reads a part of each collection only, because the database user is no superuser: "
                "have one run rag/store/words_operator.sql before the first document"
            )

    async def adopt(self, connection: psycopg.AsyncConnection) -> None:
        """For statements of tenants, short ones. They see nothing until they say of which tenant they are."""
        await self._set_up(connection, self._settings)

    async def adopt_for_writing(self, connection: psycopg.AsyncConnection, *, timeout_s: float) -> None:
        """For changes that take their time: `timeout_s` for each statement, and ten times that between two."""
        settings = {
            "statement_timeout": f"{timeout_s * 1000:.0f}ms",
            "lock_timeout": f"{timeout_s * 500:.0f}ms",
            "idle_in_transaction_session_timeout": f"{timeout_s * 10_000:.0f}ms",
            "jit": "off",
        }
        await self._set_up(connection, settings)

    async def make_chunk_table(self, connection: psycopg.AsyncConnection, dimensions: int) -> None:
        """Unless it is there. On a connection that was not adopted. Raises SchemaError."""
        table = chunk_table(dimensions)
        if await _exists(connection, _TABLE, table):
            return
        await self.prepare(connection)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if await _exists(connection, _TABLE, table):
                return
            parts = ["chunks"]
            if dimensions <= _MOST_DIMENSIONS_IN_A_ROW:
                parts.append("chunk_vectors")
            if await _exists(connection, _WORDS_OPERATOR):
                parts.append("chunk_words")
            for part in parts:
                await connection.execute(self._chunk_sql(part, dimensions))
            await _grant(connection)

    def _chunk_sql(self, part: str, dimensions: int) -> bytes:
        values = {"table": chunk_table(dimensions), "dimensions": dimensions, **self._indexes._asdict()}
        return sql_of(part).decode().format(**values).encode()

    async def _set_up(self, connection: psycopg.AsyncConnection, settings: dict[str, str]) -> None:
        adopt_half_vectors(connection)
        await connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS settings (name, value)",
            (list(settings), list(settings.values())),
        )
        if (await _login(connection)).is_tenant:
            await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(TENANT_ROLE)))


def chunk_table(dimensions: int) -> str:
    return f"chunks_{dimensions}"


def sql_of(name: str) -> bytes:
    """A file of statements."""
    return (_FOLDER / f"{name}.sql").read_bytes()


async def _make(connection: psycopg.AsyncConnection) -> None:
    found = await _version(connection)
    if found == VERSION:
        return  # another worker was quicker
    if found is not None:
        raise SchemaError(f"the schema rag has version {found}, and this release works with version {VERSION}")
    login = await _login(connection)
    if login.is_superuser:
        await connection.execute(sql_of("words_operator"))
    elif not await _exists(connection, _NAMESPACE):
        await connection.execute("CREATE SCHEMA rag")
    if login.may_make_roles:
        # Not every such user may grant a role that another database's user has made; `prepare` sees what came of it.
        with suppress(psycopg.errors.InsufficientPrivilege):
            async with connection.transaction():
                await connection.execute(sql_of("tenant_role"))
                if not login.is_superuser and not login.is_tenant:
                    await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(TENANT_ROLE)))
    await connection.execute(sql_of("schema"))
    await _grant(connection)
    await connection.execute("INSERT INTO rag.schema_version VALUES (%s)", (VERSION,))


async def _grant(connection: psycopg.AsyncConnection) -> None:
    """To the role of tenants, where there is one."""
    if await _exists(connection, _ROLE, TENANT_ROLE):
        await connection.execute(sql_of("grants"))


async def _check_pgvector(connection: psycopg.AsyncConnection) -> None:
    try:
        # The cache's index may make it in the same instant.
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        pass
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile, psycopg.errors.InsufficientPrivilege):
        raise SchemaError(
            "the corpus needs pgvector 0.8 or newer, which this Postgres does not have: install it, "
            "and have a superuser run CREATE EXTENSION vector in this database"
        ) from None
    found = await connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    (version,) = await found.fetchone() or ("none",)
    if not is_new_enough(version):
        raise SchemaError(
            f"the corpus needs pgvector 0.8 or newer, this database has {version}: install a newer one, "
            "and have a superuser run ALTER EXTENSION vector UPDATE"
        )


def is_new_enough(pgvector: str) -> bool:
    """By its version, such as `0.8.1`."""
    numbers = tuple(int(number) for number in pgvector.split(".")[:2] if number.isdigit())
    return len(numbers) == len(_PGVECTOR) and numbers >= _PGVECTOR


async def _version(connection: psycopg.AsyncConnection) -> int | None:
    if not await _exists(connection, _TABLE, "schema_version"):
        return None
    row = await (await connection.execute("SELECT version FROM rag.schema_version")).fetchone()
    return None if row is None else int(row[0])


async def _exists(connection: psycopg.AsyncConnection, catalogue: LiteralString, *names: str) -> bool:
    row = await (await connection.execute(sql.SQL("SELECT EXISTS ({})").format(sql.SQL(catalogue)), names)).fetchone()
    return row is not None and bool(row[0])


async def _login(connection: psycopg.AsyncConnection) -> _Login:
    # Since Postgres 16 a role's maker is a member who may not become it, unless it was granted so.
    right = "SET" if connection.info.server_version >= 160_000 else "MEMBER"
    found = await connection.execute(
        """
        SELECT rolname, rolsuper, rolsuper OR rolcreaterole, rolsuper OR rolbypassrls,
               COALESCE(pg_has_role(oid, to_regrole(%s)::oid, %s), false)
        FROM pg_roles WHERE rolname = session_user
        """,
        (TENANT_ROLE, right),
    )
    row = await found.fetchone()
    if row is None:
        raise SchemaError("Postgres does not say who the database user is")
    return _Login(*row)
