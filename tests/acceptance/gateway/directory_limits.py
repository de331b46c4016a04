"""Limits of tenants, put into the directory that gateways share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import psycopg

from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.errors import TenantExists
from api.tenants.types import Actor, Lane, Limit
from tests.acceptance.gateway.processes import Gateway, eventually

_BY = Actor(id="test")


def set_limits(database_url: str, limits: Sequence[Limit], *, known_to: Sequence[Gateway]) -> None:
    """Returns when all workers of these gateways, which have brought the schema in, know the limits."""
    asyncio.run(_set(database_url, limits))
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT version FROM directory_state").fetchone()
    assert row is not None
    version = int(row[0])
    for gateway in known_to:
        eventually(gateway.samples, until=lambda found: found.total("gateway_directory_version") >= version)


async def _set(database_url: str, limits: Sequence[Limit]) -> None:
    directory = PostgresDirectory(database_url=database_url, digests=KeyDigests(""))
    await directory.start()
    try:
        for name in sorted({limit.tenant for limit in limits}):
            with suppress(TenantExists):  # the gateways bring the tenants of their settings in, too
                await directory.create_tenant(name, weight=1, lane=Lane.INTERACTIVE, by=_BY)
        for limit in limits:
            await directory.set_limit(limit, by=_BY)
    finally:
        await directory.aclose()
