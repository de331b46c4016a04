"""Databases with the platform's schema, without the second that Alembic takes: the same files, and the same mark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from api.database.revisions import HEAD, REVISIONS, SQL_FOLDER

# As Alembic makes it; tests/integration/api/database compares both ways.
_MARK = """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )
"""


def beside(database_url: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlsplit(database_url)._replace(path=f"/{name}").geturl()


def lay_schema(database_url: str) -> None:
    """The newest schema into a database that has none."""
    with psycopg.connect(database_url) as connection:
        connection.execute(_MARK)
        for revision in REVISIONS:
            (file,) = SQL_FOLDER.glob(f"{revision}_*.up.sql")
            connection.execute(file.read_bytes())
        connection.execute("INSERT INTO alembic_version VALUES (%s)", (HEAD,))


@contextmanager
def database_copy(database_url: str, template: str | None = None) -> Iterator[str]:
    """The address of a copy of `template` (None: an empty database), which is dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(copied)
    try:
        yield beside(database_url, name)
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
