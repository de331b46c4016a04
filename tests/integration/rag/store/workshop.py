"""Corpora in a database of the tests' own, with everything around them that production gives them."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import sqrt
from typing import Any

import psycopg
from psycopg import sql

from api.postgres_connection import BoundedConnection
from api.postgres_link import PostgresLink
from rag.store.postgres_corpus import PostgresCorpus
from rag.store.schema import CorpusSchema
from rag.types import Draft, Passage, Piece, Search

DIMENSIONS = 8
EMBEDDER = "test-embedder/8"


def vector(*numbers: float, dimensions: int = DIMENSIONS) -> bytes:
    """Of length one, with zeros for what is not given."""
    length = sqrt(sum(number * number for number in numbers))
    padded = [number / length for number in numbers] + [0.0] * (dimensions - len(numbers))
    return struct.pack(f"<{dimensions}f", *padded)


def vectors(count: int, *, seed: int = 0, dimensions: int = DIMENSIONS) -> list[bytes]:
    drawn = random.Random(seed)  # noqa: S311 - test data
    return [vector(*(drawn.gauss(0, 1) for _ in range(dimensions)), dimensions=dimensions) for _ in range(count)]


def draft(name: str = "report.md", **changes: Any) -> Draft:
    values: dict[str, Any] = {
        "filename": name,
        "title": name.removesuffix(".md"),
        "media_type": "text/markdown",
        "bytes": 100,
        "content_hash": hashlib.sha256(name.encode()).hexdigest(),
    }
    return Draft(**values | changes)


def pieces(*texts: str) -> list[Piece]:
    return [Piece(text=text) for text in texts]


@dataclass
class Workshop:
    """What it has made is closed with it."""

    url: str
    links: list[PostgresLink] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    """Why connections were lost or came back."""

    def corpus(
        self, url: str = "", *, timeout_s: float = 5.0, write_timeout_s: float = 20.0, **options: Any
    ) -> PostgresCorpus:
        """`options`: of PostgresCorpus or CorpusSchema."""
        url = url or self.url
        of_schema = {name: options.pop(name) for name in ("ef_search", "max_scan_tuples", "indexes") if name in options}
        schema = CorpusSchema(statement_timeout_s=timeout_s, **of_schema)
        link = self._link(url, schema, timeout_s)
        return PostgresCorpus(
            database=link,
            open_connection=partial(BoundedConnection.open, url, timeout_s=timeout_s),
            schema=schema,
            write_timeout_s=write_timeout_s,
            **options,
        )

    def link(self, *, timeout_s: float, statement_timeout_s: float) -> PostgresLink:
        return self._link(self.url, CorpusSchema(statement_timeout_s=statement_timeout_s), timeout_s)

    def _link(self, url: str, schema: CorpusSchema, timeout_s: float) -> PostgresLink:
        link = PostgresLink(
            database_url=url,
            timeout_s=timeout_s,
            prepare=schema.prepare,
            adopt=schema.adopt,
            on_change=lambda _there, reason: self.news.append(reason),
        )
        self.links.append(link)
        return link

    def execute(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As the superuser that no policy binds."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def rows_left(self, tenant: str) -> dict[str, int]:
        """Of documents and of chunks, by the name of the table."""
        tables = [name for (name,) in self.execute("SELECT relname FROM pg_class WHERE relname ~ '^chunks_[0-9]+$'")]
        query = sql.SQL("SELECT count(*) FROM rag.{} WHERE tenant = %s")
        with psycopg.connect(self.url, autocommit=True) as connection:
            return {
                table: row[0]
                for table in ("documents", *tables)
                for row in connection.execute(query.format(sql.Identifier(table)), (tenant,))
            }

    async def aclose(self) -> None:
        for link in self.links:
            await link.aclose()


async def store(
    corpus: PostgresCorpus, tenant: str, collection: str, texts: Sequence[str | Piece], **changes: Any
) -> None:
    """A document of these texts; `vectors`, `embedder`, `dimensions` and fields of Draft in `changes`."""
    dimensions = changes.pop("dimensions", DIMENSIONS)
    given = changes.pop("vectors", None) or vectors(len(texts), seed=len(texts), dimensions=dimensions)
    embedder = changes.pop("embedder", EMBEDDER)
    made = [Piece(text=text) if isinstance(text, str) else text for text in texts]
    async with corpus.writing(tenant, collection, draft(**changes), embedder=embedder, dimensions=dimensions) as writer:
        await writer.add(made, given)


async def search(corpus: PostgresCorpus, tenant: str, collection: str, **changes: Any) -> tuple[list[str], list[str]]:
    """The texts found by meaning, and those found by words."""
    values: dict[str, Any] = {"vector": None, "words": (), "count": 10} | changes
    found = await corpus.search(Search(tenant=tenant, collection=await corpus.collection(tenant, collection), **values))
    return texts(found.by_meaning), texts(found.by_words)


def texts(passages: Sequence[Passage]) -> list[str]:
    return [passage.text for passage in passages]
