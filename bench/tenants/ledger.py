"""What the ledger says: the benchmark reads Postgres itself, so that no figure is the platform's word alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from bench.load import LoadError

_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Of the ledger. Money in nano-dollars, which are whole."""

    id: str
    request_id: str
    tenant: str
    outcome: str
    upstream: str
    estimated: bool
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_nano: int


_ROWS = """
    SELECT id::text, request_id, tenant, outcome, upstream, estimated, prompt_tokens, cached_tokens, completion_tokens,
        (cost_usd * 1000000000)::bigint AS cost_nano
    FROM usage_ledger WHERE starts_with(request_id, %s) ORDER BY occurred_at
"""


def rows(database_url: str, prefix: str) -> list[Row]:
    """Those whose request id begins with `prefix`. Raises psycopg.Error."""
    return [Row(**found) for found in selected(database_url, _ROWS, prefix)]


def selected(database_url: str, query: LiteralString, *parameters: Any) -> list[dict[str, Any]]:
    with psycopg.connect(database_url, row_factory=dict_row, connect_timeout=10) as connection:
        return connection.execute(query, parameters).fetchall()


async def settled_rows(
    database_url: str, prefix: str, *, enough: Callable[[list[Row]], bool], quiet_s: float = 3.0, within_s: float = 60.0
) -> list[Row]:
    """The rows when there are `enough` and none has come for `quiet_s`: they are drained behind the answers.

    Raises LoadError when that does not happen `within_s`.
    """
    found = await rows_in_the_end(database_url, prefix, enough=enough, quiet_s=quiet_s, within_s=within_s)
    if not enough(found):
        raise LoadError(f"the ledger has {len(found)} rows of {prefix}, and more were owed, after {within_s:g} s")
    return found


async def rows_in_the_end(
    database_url: str, prefix: str, *, enough: Callable[[list[Row]], bool], quiet_s: float, within_s: float
) -> list[Row]:
    """As `settled_rows`; when they are not enough by then, those there are."""
    deadline = time.monotonic() + within_s
    found: list[Row] = []
    last_news = time.monotonic()
    while time.monotonic() < deadline and not (enough(found) and time.monotonic() - last_news >= quiet_s):
        await asyncio.sleep(_POLL_S)
        try:
            now = await asyncio.to_thread(rows, database_url, prefix)
        except psycopg.Error:  # it may be on its way up
            continue
        if len(now) != len(found):
            last_news = time.monotonic()
        found = now
    return found
