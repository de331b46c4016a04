"""A database with the platform's schema, those who change the directory in it, and those who follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from api.tenants.directory.follower import DirectoryFollower
from api.tenants.directory.keys import DirectoryKeys, LatestTime
from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.snapshot import Snapshot
from api.tenants.types import Actor
from resilience.limiter.base import Quota
from tests.integration.api.tenants.gate import Gate

DIGESTS = KeyDigests("a secret of the tests")
QUOTA = Quota(600, 1_000_000)
BY = Actor(id="admin", name="ada", request_id="req-1")


class NothingOnDisk:
    async def read(self) -> Snapshot | None:
        return None


@dataclass
class Listener:
    """What a worker has."""

    follower: DirectoryFollower
    keys: DirectoryKeys
    ages_s: list[float] = field(default_factory=list)

    @property
    def snapshot(self) -> Snapshot:
        assert self.follower.snapshot is not None
        return self.follower.snapshot

    @property
    def version(self) -> int:
        return -1 if self.follower.snapshot is None else self.follower.snapshot.version


@dataclass
class Registry:
    url: str
    gate: Gate
    directory: PostgresDirectory
    """Not behind the gate."""

    @property
    def gated_url(self) -> str:
        return psycopg.conninfo.make_conninfo(self.url, host="127.0.0.1", hostaddr="127.0.0.1", port=self.gate.port)

    @asynccontextmanager
    async def another_directory(self, url: str = "", **options: Any) -> AsyncIterator[PostgresDirectory]:
        directory = PostgresDirectory(database_url=url or self.url, digests=DIGESTS, **options)
        await directory.start()
        try:
            yield directory
        finally:
            await directory.aclose()

    @asynccontextmanager
    async def listener(
        self, *, url: str = "", tenants_by_key: dict[str, str] | None = None, **options: Any
    ) -> AsyncIterator[Listener]:
        """Behind the gate; it has not necessarily loaded anything yet."""
        ages_s: list[float] = []
        values: dict[str, Any] = {
            "database_url": url or self.gated_url,
            "fallback": NothingOnDisk(),
            "on_current": lambda _snapshot: None,
            "on_state": lambda _snapshot, age_s: ages_s.append(age_s),
            "latest_time": LatestTime(),
        }
        follower = DirectoryFollower(**values | options)
        keys = DirectoryKeys(tenants_by_key=tenants_by_key or {}, digests=DIGESTS, directory=follower, quota=QUOTA)
        await follower.start()
        try:
            yield Listener(follower, keys, ages_s)
        finally:
            await follower.aclose()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description is not None else []


async def until(condition: Callable[[], bool], *, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to tell
            await asyncio.sleep(0.01)
