"""What the stores say about the room that they use."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import redis

from bench.stores import Stores

_INDEX_BYTES = """
    select coalesce(sum(pg_total_relation_size(c.oid)), 0)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relname like '%cache%' and n.nspname not in ('pg_catalog', 'information_schema')
"""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes. `redis`: `used_memory`; `postgres`: the cache's tables on disk, their indexes included."""

    redis: int
    postgres: int


def footprint(stores: Stores) -> Footprint:
    """As it is now."""
    with redis.Redis.from_url(stores.redis_url) as client:
        used = int(client.info("memory")["used_memory"])
    with psycopg.connect(stores.database_url) as connection:
        row = connection.execute(_INDEX_BYTES).fetchone()
    return Footprint(redis=used, postgres=int(row[0]) if row else 0)
