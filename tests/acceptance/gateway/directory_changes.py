"""Changes of tenants and keys, made straight in Postgres as the admin API makes them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.types import Actor
from tests.integration.api.tenants.gate import Gate

BY = Actor(id="tests")
_T = TypeVar("_T")


def changed(database_url: str, work: Callable[[PostgresDirectory], Awaitable[_T]]) -> _T:
    """What `work` returns; keys are those of gateways without a KEY_HASH_SECRET."""

    async def change() -> _T:
        directory = PostgresDirectory(database_url=database_url, digests=KeyDigests(""), timeout_s=20)
        try:
            return await work(directory)
        finally:
            await directory.aclose()

    return asyncio.run(change())


class GatedDatabase:
    """A way to a database that can be shut."""

    def __init__(self, database_url: str, loop: asyncio.AbstractEventLoop) -> None:
        parts = psycopg.conninfo.conninfo_to_dict(database_url)
        self._loop = loop
        self._gate = Gate(str(parts["host"]), int(str(parts["port"])))
        self.open()
        user, password, name = parts["user"], parts["password"], parts["dbname"]
        self.url = f"postgresql://{user}:{password}@127.0.0.1:{self._gate.port}/{name}"

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._gate.open(), self._loop).result(timeout=20)

    def shut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._gate.shut(), self._loop).result(timeout=20)


@contextmanager
def gated(database_url: str) -> Iterator[GatedDatabase]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        database = GatedDatabase(database_url, loop)
        yield database
        database.shut()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
