from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from serving.tools.benchmark.load import Level, LoadGenerator
from serving.tools.benchmark.sample import Sample


class Server:
    """Answers at once, or when its gate opens; counts who waits."""

    def __init__(self, *, gate: asyncio.Event | None = None) -> None:
        self.gate = gate
        self.numbers: list[int] = []
        self.due_s: list[float] = []
        self.under_way = 0
        self.most = 0
        self.crowd = asyncio.Condition()

    async def send(self, number: int, due_s: float | None) -> Sample:
        self.numbers.append(number)
        self.due_s += [] if due_s is None else [due_s]
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        async with self.crowd:
            self.crowd.notify_all()
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        finally:
            self.under_way -= 1
        return Sample(started_s=due_s or 0.0)

    async def has(self, under_way: int) -> None:
        async with self.crowd:
            await self.crowd.wait_for(lambda: self.under_way == under_way)


def generator(server: Server, stopping: asyncio.Event | None = None, **options: Any) -> LoadGenerator:
    defaults: dict[str, Any] = {"clock": time.perf_counter, "stopping": stopping or asyncio.Event()}
    return LoadGenerator(server.send, **{**defaults, **options})


async def test_clients_share_the_requests() -> None:
    server = Server()
    seen: list[int] = []
    load = generator(server, on_answer=lambda run: seen.append(len(run.samples)))
    run = await load.run(Level(requests=20, max_duration_s=60, concurrency=4), first_number=7)
    assert sorted(server.numbers) == list(range(7, 27))
    assert (server.most, len(run.samples), seen) == (4, 20, list(range(1, 21)))


async def test_no_more_clients_than_requests() -> None:
    server = Server()
    await generator(server).run(Level(requests=2, max_duration_s=60, concurrency=50), first_number=0)
    assert server.most == 2


async def test_time_bounds_a_level() -> None:
    server = Server()
    seconds = itertools.count()
    load = generator(server, clock=lambda: float(next(seconds)))  # a second passes whenever somebody looks
    run = await load.run(Level(requests=1000, max_duration_s=5, concurrency=1), first_number=0)
    assert len(run.samples) == len(server.numbers) == 4
    assert run.interrupted == 0


async def test_at_a_rate_requests_do_not_wait_for_each_other() -> None:
    gate = asyncio.Event()
    server = Server(gate=gate)
    level = Level(requests=30, max_duration_s=60, rate_per_s=2000)
    running = asyncio.create_task(generator(server).run(level, first_number=0, seed=3))
    await server.has(under_way=30)
    gate.set()
    run = await running
    assert len(run.samples) == 30
    assert server.due_s == sorted(server.due_s)
    assert len(set(server.due_s)) == 30


async def test_arrivals_repeat_with_the_seed_and_keep_the_rate() -> None:
    async def gaps(seed: int) -> list[float]:
        server = Server()
        await generator(server).run(Level(requests=400, max_duration_s=60, rate_per_s=4000), first_number=0, seed=seed)
        return [after - before for before, after in itertools.pairwise(server.due_s)]

    first = await gaps(1)
    assert await gaps(1) == pytest.approx(first)
    assert await gaps(2) != pytest.approx(first)
    assert sum(first) / len(first) == pytest.approx(1 / 4000, rel=0.2)


async def test_more_than_this_client_may_have_under_way_are_not_sent() -> None:
    gate = asyncio.Event()
    server = Server(gate=gate)
    hours = itertools.count(step=3600)  # so that all are due at once
    load = generator(server, clock=lambda: float(next(hours)))
    level = Level(requests=10, max_duration_s=60, rate_per_s=10, max_in_flight=3)
    running = asyncio.create_task(load.run(level, first_number=0))
    await server.has(under_way=3)
    for _ in range(100):  # turns of the loop, for the other seven
        await asyncio.sleep(0)
    gate.set()
    run = await running
    assert (len(run.samples), run.not_sent, server.most) == (3, 7, 3)


@pytest.mark.parametrize("level", [{"concurrency": 3}, {"rate_per_s": 10_000.0}], ids=["closed", "open"])
async def test_stopping_keeps_what_there_is_and_breaks_off_the_rest(level: dict[str, Any]) -> None:
    stopping = asyncio.Event()
    server = Server(gate=asyncio.Event())
    load = generator(server, stopping)
    running = asyncio.create_task(load.run(Level(requests=3, max_duration_s=60, **level), first_number=0))
    await server.has(under_way=3)
    stopping.set()
    run = await running
    assert (run.samples, run.interrupted, server.under_way) == ([], 3, 0)


async def test_a_defect_of_the_sender_is_raised() -> None:
    async def send(number: int, _: float | None) -> Sample:
        raise RuntimeError(f"request {number}")

    load = LoadGenerator(send, clock=time.perf_counter, stopping=asyncio.Event())
    with pytest.raises(ExceptionGroup) as raised:
        await load.run(Level(requests=1, max_duration_s=60, concurrency=1), first_number=0)
    assert raised.group_contains(RuntimeError, match="request 0")
