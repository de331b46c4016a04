"""Keeps a worker's copy of the directory up to date.

A connection of its own listens for changes, and asks for the version twice a second in case that no word came through.
While Postgres is away the copy stays as it is; a worker that starts meanwhile begins with the last one on disk.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import psycopg

from api.postgres_connection import BoundedConnection
from api.readiness import NotReady
from api.tenants.directory.keys import LatestTime
from api.tenants.directory.reading import Position, changed_rows, one_moment, position
from api.tenants.directory.rows import PriceRow
from api.tenants.directory.snapshot import Snapshot

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_FIRST_TIMEOUT_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# What is lost again sooner was not there: the pauses between attempts go on growing.
_SETTLED_S = 5.0
_WAIT_S = 2.0
_FREED_AT_ONCE = 1000


class SnapshotSource(Protocol):
    async def read(self) -> Snapshot | None:
        """The last snapshot that was kept; None: there is none that may be used."""
        ...


class DirectoryFollower:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        database_url: str,
        fallback: SnapshotSource,
        on_current: Callable[[Snapshot], None],
        on_state: Callable[[Snapshot | None, float], None],
        latest_time: LatestTime | None = None,
        timeout_s: float = 3.0,
    ) -> None:
        """`on_current(snapshot)`: each time that it was found up to date. `on_state(snapshot, age_s)`: more often.

        `timeout_s`: for each answer of Postgres.
        """
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._fallback = fallback
        self._on_current = on_current
        self._on_state = on_state
        self._time = latest_time or LatestTime()
        self._snapshot: Snapshot | None = None
        self._is_current = False
        self._current_s = time.monotonic()
        self._attempts = 0
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told = ""

    @property
    def snapshot(self) -> Snapshot | None:
        return self._snapshot

    @property
    def now_s(self) -> float:
        return self._time.now_s()

    async def wait_for_snapshot(self) -> Snapshot | None:
        """Two seconds at most, and only while the first attempt is under way."""
        if self._snapshot is None and self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT_S):
                    await self._tried.wait()
        return self._snapshot

    async def check(self) -> None:
        """Raise NotReady unless changes reach this worker."""
        if self._snapshot is None:
            raise NotReady("tenants and keys are not known")
        if not self._is_current:
            raise NotReady("changes of tenants and keys do not arrive")

    async def start(self) -> None:
        """Begin to follow, in the running loop; Postgres may be away."""
        self._task = asyncio.create_task(self._run(), name="directory: follow")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = time.monotonic()
            reason = "it was lost for a reason in the log"
            try:
                await self._follow()
            except (psycopg.Error, OSError) as error:
                reason = str(error).strip() or type(error).__name__
            except Exception:
                # Whatever it was, without a follower no revoked key would be refused any more.
                logger.exception("following the directory failed and is tried again")
            settled = self._is_current and time.monotonic() - began_s > _SETTLED_S
            pause_s = _FIRST_PAUSE_S if settled else min(_LONGEST_PAUSE_S, 2 * pause_s)
            self._is_current = False
            self._tell(f"away: {reason}", logging.WARNING, "the directory is away: known keys go on", reason)
            if self._snapshot is None:
                await self._begin_with_the_last()
            self._tried.set()
            self._on_state(self._snapshot, self._age_s())
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all come at once

    async def _begin_with_the_last(self) -> None:
        try:
            self._snapshot = await self._fallback.read()
        except Exception:
            logger.exception("the last snapshot of the directory cannot be read")

    async def _follow(self) -> None:
        """Until the connection is lost, which raises."""
        timeout_s = _FIRST_TIMEOUT_S if self._attempts == 0 else self._timeout_s
        self._attempts += 1
        connection = await BoundedConnection.open(self._database_url, timeout_s=timeout_s)
        try:
            await connection.run(_listen(connection.psycopg), timeout_s=timeout_s)
            if self._snapshot is not None:
                await self._catch_up(connection)  # first, as it is quick
            # All of it, because the database may be a restored one, whose versions count other changes.
            await self._load(connection)
            while True:
                await connection.run(_news(connection.psycopg), timeout_s=_POLL_S + self._timeout_s)
                await self._catch_up(connection)
        finally:
            await connection.close()

    async def _catch_up(self, connection: BoundedConnection) -> None:
        known = self._snapshot
        found = await position(connection, timeout_s=self._timeout_s)
        if known is None or found.version < known.version:
            logger.warning("the directory's version went back: all of it is read again")
            await self._load(connection)
            return
        if found.version > known.version:
            async with one_moment(connection) as found:
                prices = set[tuple[str, float]]()
                async for rows in changed_rows(connection, since=known.version):
                    known.apply(rows)
                    prices |= {(row.model, row.from_s) for row in rows if isinstance(row, PriceRow)}
            known.prices.keep(prices)
            known.version = found.version
        self._now_current(known, found)

    async def _load(self, connection: BoundedConnection) -> None:
        fresh = Snapshot()
        async with one_moment(connection) as found:
            async for rows in changed_rows(connection, since=None):
                fresh.apply(rows)
                await asyncio.sleep(0)
        fresh.version = found.version
        old, self._snapshot = self._snapshot, fresh
        self._tried.set()
        self._now_current(fresh, found)
        logger.info("the directory is read", extra={"version": fresh.version, "keys": len(fresh.keys)})
        if old is not None:
            await _free(old)

    def _now_current(self, snapshot: Snapshot, found: Position) -> None:
        self._time.seen(found.now_s)
        self._is_current = True
        self._current_s = time.monotonic()
        self._tell("", logging.INFO, "the directory is followed again")
        self._on_state(snapshot, 0.0)
        self._on_current(snapshot)

    def _age_s(self) -> float:
        return time.monotonic() - self._current_s

    def _tell(self, trouble: str, level: int, message: str, reason: str = "") -> None:
        """Once for each trouble, and for its end."""
        if trouble != self._told:
            self._told = trouble
            logger.log(level, message, extra={"reason": reason} if reason else None)


async def _listen(connection: psycopg.AsyncConnection) -> None:
    await connection.execute(
        "SELECT set_config('statement_timeout', '10s', false), "
        "set_config('idle_in_transaction_session_timeout', '30s', false)"
    )
    await connection.execute("LISTEN directory")


async def _news(connection: psycopg.AsyncConnection) -> None:
    """Returns when somebody has changed something, and after half a second anyway."""
    async for _ in connection.notifies(timeout=_POLL_S, stop_after=1):
        pass


async def _free(snapshot: Snapshot) -> None:
    """100,000 keys at once would hold everybody up."""
    keys = snapshot.keys
    while keys:
        for _ in range(min(_FREED_AT_ONCE, len(keys))):
            keys.popitem()
        await asyncio.sleep(0)
