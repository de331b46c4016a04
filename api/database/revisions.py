"""Which schemas this version of the platform knows, and which one a database has; without Alembic, for who only asks.

A revision is the number before the name of its two files in sql/; each follows the one before it.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import psycopg

SQL_FOLDER = Path(__file__).with_name("sql")
REVISIONS = tuple(sorted(file.name.partition("_")[0] for file in SQL_FOLDER.glob("*.up.sql")))
HEAD = REVISIONS[-1]
READ_REVISION = "SELECT version_num FROM alembic_version"
"""No row, or psycopg's UndefinedTable: there is no schema."""


class SchemaState(StrEnum):
    CURRENT = "current"
    OLDER = "older"
    """Or not there at all: an upgrade makes it current."""
    UNKNOWN = "unknown"
    """Of a newer version of the platform, or of something else."""


async def read_revision(connection: psycopg.AsyncConnection) -> str | None:
    """None: there is no schema. In autocommit mode. Raises psycopg.Error."""
    try:
        found = await connection.execute(READ_REVISION)
    except psycopg.errors.UndefinedTable:
        return None
    row = await found.fetchone()
    return None if row is None else str(row[0])


def state_of(revision: str | None) -> SchemaState:
    """None: there is no schema yet."""
    if revision is None:
        return SchemaState.OLDER
    if revision not in REVISIONS:
        return SchemaState.UNKNOWN
    return SchemaState.CURRENT if revision == HEAD else SchemaState.OLDER


def not_current_reason(revision: str | None) -> str:
    """One sentence about a schema that is not the one of this version."""
    if revision is None:
        return f"the database has no schema yet, {HEAD} is needed"
    if state_of(revision) is SchemaState.UNKNOWN:
        return f"the database has schema {revision}, which this version does not know (it knows up to {HEAD})"
    return f"the database has schema {revision}, {HEAD} is needed"
