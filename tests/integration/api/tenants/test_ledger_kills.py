"""Workers, Redis and the way to Postgres fail at random moments: each row is there once, and the days add up."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from tests.conftest import RedisServer
from tests.integration.api.tenants.office import Office, until, until_it_is


class Crew:
    """Two workers that are started again when they are killed, and what they have said."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.began: set[str] = set()
        self.kept: set[str] = set()
        self.processes: list[Process] = []
        self._listeners: list[asyncio.Task[None]] = []

    async def start_one(self) -> None:
        arguments = (self.office.redis_url, self.office.gated_url, str(self.office.folder), f"{len(self._listeners)}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.api.tenants.ledger_worker", *arguments, stdout=PIPE
        )
        self.processes.append(process)
        self._listeners.append(asyncio.create_task(self._listen(process)))

    async def kill_one(self) -> None:
        process = self.processes.pop(0)
        process.kill()
        await process.wait()

    async def end(self) -> None:
        while self.processes:
            await self.kill_one()
        await asyncio.gather(*self._listeners)

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if not line.endswith(b"\n"):
                continue  # it was killed in the middle of a word
            word, row_id = line.decode().split()
            (self.began if word == "began" else self.kept).add(row_id)


@pytest.mark.parametrize("seed", [1])  # more of them tell more, and take 8 s each
async def test_whatever_is_killed_each_row_is_there_once(office: Office, redis_server: RedisServer, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    crew = Crew(office)
    try:
        for _ in range(2):
            await crew.start_one()
        await until(lambda: len(crew.kept) > 50)
        for blow in dice.sample(["worker", "redis", "frozen redis", "postgres", "frozen postgres"], 5):
            await strike(blow, crew, office, redis_server)
            already = len(crew.kept)
            await until(lambda already=already: len(crew.kept) > already + 20)  # type: ignore[misc]  # mypy takes a default for Any
            await asyncio.sleep(dice.random() * 0.1)
    finally:
        await crew.end()
        redis_server.restart()
    async with office.working():
        await until_it_is(lambda: everything_is_in(office, crew))
        await until(lambda: office.in_redis() == 0 and office.files() == [])
    ids = {name.replace("-", "") for name in await office.ids()}
    assert crew.kept <= ids <= crew.began
    # What was under way when a worker was killed is there too, unless it had only just been announced.
    assert len(crew.began - ids) <= 8 * 4
    assert (await office.summed())[0] == len(ids)
    assert office.put_aside() == []


async def strike(blow: str, crew: Crew, office: Office, redis_server: RedisServer) -> None:
    match blow:
        case "worker":
            await crew.kill_one()
            await crew.start_one()
        case "redis":
            redis_server.kill()
            await asyncio.sleep(0.05)
            redis_server.restart()
        case "frozen redis":
            redis_server.freeze()
            await asyncio.sleep(0.4)
            redis_server.thaw()
        case "postgres":
            await office.gate.shut()
            await asyncio.sleep(0.05)
            await office.gate.open()
        case _:
            office.gate.freeze()
            await asyncio.sleep(0.05)
            office.gate.thaw()


async def everything_is_in(office: Office, crew: Crew) -> bool:
    return crew.kept <= {name.replace("-", "") for name in await office.ids()}
