from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.rag.store.workshop import Workshop


@pytest.fixture(scope="session")
def corpus_url(database_url: str) -> Iterator[str]:
    """A database of these tests' own: others drop the extension that its tables need."""
    yield from _database(database_url)


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    """A database in which nothing was made."""
    yield from _database(database_url)


@pytest.fixture
async def workshop(corpus_url: str) -> AsyncIterator[Workshop]:
    place = Workshop(corpus_url)
    yield place
    await place.aclose()


@pytest.fixture
def tenant() -> str:
    """One that has nothing yet."""
    return f"tenant-{uuid4().hex}"


def _database(database_url: str) -> Iterator[str]:
    name = f"rag_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield make_conninfo(database_url, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
