"""The SQL of a search, in one statement whatever is asked for. Pure.

By meaning: a small collection is compared whole, and in a large one the graph of all vectors is walked until enough of
the collection's are found. By words: chunks with all of the words; while these are too few, those with the most telling
half of them, with the most telling one, and with those that follow it. Each step ranks a bounded number of chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, LiteralString

from psycopg import sql

from rag.store.schema import chunk_table

# Of each step by words: so many chunks are ranked, those that came first into the collection.
_RANKED = 128
# Of all chunks of a table: what a collection with fewer is.
_RARE = 4
# What a step may read where words are not indexed.
_READ_WITHOUT_INDEX = 5_000

_READ_IN_PART: LiteralString = (
    "(SELECT id, collection_id, words FROM {table} WHERE collection_id = %(collection)b::bigint LIMIT {most})"
)
_COLUMNS: LiteralString = "id, document_id, filename, title, headings, page, text"

# The order is by an expression that the graph does not know.
_EXACT: LiteralString = """
    nearest AS MATERIALIZED (
        SELECT id, (embedding <#> %(vector)b::halfvec({dimensions})) + 0 AS distance
        FROM {table} WHERE collection_id = %(collection)b::bigint
        ORDER BY distance LIMIT %(count)b
    ),
    by_meaning AS (SELECT {columns}, -distance AS score FROM nearest JOIN {table} USING (id))
"""
_WALK: LiteralString = """
    by_meaning AS MATERIALIZED (
        SELECT {columns}, -(embedding <#> %(vector)b::halfvec({dimensions})) AS score
        FROM {table} WHERE collection_id = %(collection)b::bigint
        ORDER BY embedding <#> %(vector)b::halfvec({dimensions}) LIMIT %(count)b
    )
"""
# `place` is the word of the collection (chunks.sql); to look for it too pays where most chunks are of others. A step
# without words, or with words that say nothing (the, of), is NULL and finds nothing. The condition on the collection is
# written so that no other index can seem better.
_ASKED: LiteralString = """
    asked AS MATERIALIZED (
        SELECT query_1 AS all_words, replace(query_1::text, '&', '|')::tsquery AS any_word,
               CASE WHEN numnode(query_1) > 0 THEN COALESCE(place && query_1, query_1) END AS step_1,
               CASE WHEN numnode(query_2) > 0 THEN COALESCE(place && query_2, query_2) END AS step_2,
               CASE WHEN numnode(query_3) > 0 THEN COALESCE(place && query_3, query_3) END AS step_3,
               CASE WHEN numnode(query_4) > 0 THEN COALESCE(place && query_4, query_4) END AS step_4
        FROM (
            SELECT plainto_tsquery('english', %(step_1)b) AS query_1, plainto_tsquery('english', %(step_2)b) AS query_2,
                   plainto_tsquery('english', %(step_3)b) AS query_3, plainto_tsquery('english', %(step_4)b) AS query_4,
                   CASE WHEN {share} * %(chunks)b::bigint < reltuples THEN %(place)b::text::tsquery END AS place
            FROM pg_class WHERE oid = {name}::regclass
            OFFSET 0
        ) AS queries
    )
"""
_STEP: LiteralString = """
    {found} AS MATERIALIZED (
        SELECT id, {level} + {rank} AS score FROM {source} AS chunk
        WHERE words {contains} (SELECT {step} FROM asked) AND collection_id + 0 = %(collection)b::bigint {unless}
        LIMIT {ranked}
    )
"""
_RANKS: tuple[LiteralString, ...] = (
    "ts_rank_cd(words, (SELECT all_words FROM asked), 32)",  # how near to each other they stand
    "ts_rank(words, (SELECT any_word FROM asked), 32)",  # how many of all
)
_UNLESS: tuple[LiteralString, ...] = (
    "",
    "AND (SELECT count(*) FROM found_1) < %(count)b",
    "AND (SELECT count(*) FROM found_1) + (SELECT count(*) FROM found_2) < %(count)b",
    "AND (SELECT count(*) FROM found_1) + (SELECT count(*) FROM found_2) + (SELECT count(*) FROM found_3) < %(count)b",
)
_BEST: LiteralString = """
    ranked AS MATERIALIZED (
        SELECT id, max(score)::float8 AS score FROM (
            TABLE found_1 UNION ALL TABLE found_2 UNION ALL TABLE found_3 UNION ALL TABLE found_4
        ) AS found GROUP BY id ORDER BY score DESC, id LIMIT %(count)b
    ),
    by_words AS (SELECT {columns}, score FROM ranked JOIN {table} USING (id))
"""
_BY_MEANING: LiteralString = "SELECT true AS meaning, by_meaning.* FROM by_meaning"
_BY_WORDS: LiteralString = "SELECT false AS meaning, by_words.* FROM by_words"


def steps(words: Sequence[str]) -> list[str]:
    """Four sets of words to look for, each only if those before it have found too little; empty: nothing new."""
    half = (len(words) + 1) // 2
    different: list[str] = []
    for step in (words, words[:half], words[:1], words[1 : 1 + half]):
        text = " ".join(step)
        different.append("" if text in different else text)
    return different


@lru_cache(maxsize=64)
def search_query(dimensions: int, *, meaning: bool, exact: bool, words: bool, words_indexed: bool) -> bytes:
    """Rows of one or both lists: whether by meaning, the columns of a passage, and the score."""
    values: dict[str, Any] = {
        "table": sql.SQL("rag.") + sql.Identifier(chunk_table(dimensions)),
        "dimensions": sql.Literal(dimensions),
        "name": sql.Literal(f"rag.{chunk_table(dimensions)}"),
        "columns": sql.SQL(_COLUMNS),
    }
    parts: list[sql.Composed] = []
    lists: list[sql.Composable] = []
    if meaning:
        parts.append(sql.SQL(_EXACT if exact else _WALK).format(**values))
        lists.append(sql.SQL(_BY_MEANING))
    if words:
        parts += _by_words(values, indexed=words_indexed)
        lists.append(sql.SQL(_BY_WORDS))
    return sql.SQL("WITH {} {}").format(sql.SQL(",").join(parts), sql.SQL(" UNION ALL ").join(lists)).as_bytes()


def _by_words(values: Mapping[str, Any], *, indexed: bool) -> Iterator[sql.Composed]:
    contains, source = sql.SQL("OPERATOR(rag.@@)"), values["table"]
    if not indexed:
        contains = sql.SQL("@@")
        source = sql.SQL(_READ_IN_PART).format(table=source, most=sql.Literal(_READ_WITHOUT_INDEX))
    yield sql.SQL(_ASKED).format(share=sql.Literal(_RARE), name=values["name"])
    for number, unless in enumerate(_UNLESS, start=1):
        yield sql.SQL(_STEP).format(
            found=sql.Identifier(f"found_{number}"),
            level=sql.Literal(len(_UNLESS) - number),
            rank=sql.SQL(_RANKS[min(number, len(_RANKS)) - 1]),
            source=source,
            contains=contains,
            step=sql.Identifier(f"step_{number}"),
            unless=sql.SQL(unless),
            ranked=sql.Literal(_RANKED),
        )
    yield sql.SQL(_BEST).format(**values)
