"""The SQL of the table of vectors. Pure."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

# pgvector makes no graph for vectors that do not fit a page; all are compared then.
MOST_DIMENSIONS_OF_A_GRAPH = 2_000

# It is a cache: what a crash of Postgres takes with it comes back as answers are stored again, so nothing is logged.
_TABLE: LiteralString = """
    CREATE UNLOGGED TABLE IF NOT EXISTS {table} (
        tenant     text NOT NULL,
        scope      text NOT NULL,
        id         text NOT NULL,
        expires_at double precision NOT NULL, -- Unix seconds
        embedding  vector({dimensions}) NOT NULL,
        PRIMARY KEY (tenant, scope, id)
    )
"""
_BY_EXPIRY: LiteralString = "CREATE INDEX IF NOT EXISTS {name} ON {table} (expires_at)"
_GRAPH: LiteralString = "CREATE INDEX IF NOT EXISTS {name} ON {table} USING hnsw (embedding vector_cosine_ops)"

_ADD: LiteralString = """
    INSERT INTO {table} (tenant, scope, id, expires_at, embedding) VALUES (%s, %s, %s, %s, %s::vector)
    ON CONFLICT (tenant, scope, id) DO UPDATE SET expires_at = excluded.expires_at, embedding = excluded.embedding
"""
# Up to a limit, because whoever asks wants to know only whether there are more.
_COUNT: LiteralString = """
    SELECT count(*) FROM (SELECT FROM {table} WHERE tenant = %s AND scope = %s LIMIT %s) AS seen
"""
# Materialised, so that the planner cannot walk the graph.
_EXACT: LiteralString = """
    WITH compared AS MATERIALIZED (
        SELECT id, embedding <=> %(vector)s::vector AS distance FROM {table}
        WHERE tenant = %(tenant)s AND scope = %(scope)s AND expires_at > %(now)s
    )
    SELECT id, distance FROM compared WHERE distance <= %(farthest)s ORDER BY distance LIMIT %(count)s
"""
_WALK: LiteralString = """
    WITH nearest AS MATERIALIZED (
        SELECT id, embedding <=> %(vector)s::vector AS distance FROM {table}
        WHERE tenant = %(tenant)s AND scope = %(scope)s AND expires_at > %(now)s
        ORDER BY embedding <=> %(vector)s::vector LIMIT %(count)s
    )
    SELECT id, distance FROM nearest WHERE distance <= %(farthest)s ORDER BY distance
"""
_REMOVE: LiteralString = """
    DELETE FROM {table} AS kept USING unnest(%s::text[], %s::text[], %s::text[]) AS gone (tenant, scope, id)
    WHERE kept.tenant = gone.tenant AND kept.scope = gone.scope AND kept.id = gone.id
"""
_SWEEP: LiteralString = """
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE expires_at <= %s LIMIT %s))
"""
_CHECK: LiteralString = "SELECT FROM {table} LIMIT 1"


class VectorQueries:
    def __init__(self, dimensions: int, *, has_graph: bool) -> None:
        self.table = f"semantic_cache_vectors_{dimensions}"
        table = sql.Identifier(self.table)

        def query(text: LiteralString) -> sql.Composed:
            return sql.SQL(text).format(table=table)

        def index(text: LiteralString, suffix: str) -> sql.Composed:
            return sql.SQL(text).format(table=table, name=sql.Identifier(f"{self.table}_{suffix}"))

        self.schema: list[sql.SQL | sql.Composed] = [
            sql.SQL("CREATE EXTENSION IF NOT EXISTS vector"),
            sql.SQL(_TABLE).format(table=table, dimensions=sql.Literal(dimensions)),
            index(_BY_EXPIRY, "expiry"),
        ]
        if has_graph:
            self.schema.append(index(_GRAPH, "graph"))
        self.add, self.count = query(_ADD), query(_COUNT)
        self.exact, self.walk = query(_EXACT), query(_WALK)
        self.remove, self.sweep, self.check = query(_REMOVE), query(_SWEEP), query(_CHECK)
