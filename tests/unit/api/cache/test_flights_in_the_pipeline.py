"""Calls that ask the same at once, through the whole pipeline: one engine call where it can be, and nobody held up."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from api.cache.types import CacheStatus
from serving.errors import BackendUnavailable
from serving.types import StreamReply
from tests.unit.api.cache.cached_house import Q3, SAME_AS_Q3, CachedHouse, asked
from tests.unit.api.fakes import call

ECHO = f"fast-1 was asked: {Q3}"


@pytest.fixture
async def house() -> CachedHouse:
    return CachedHouse()


@pytest.mark.parametrize("stream", [False, True])
async def test_of_a_hundred_who_ask_at_once_one_asks_the_engine(house: CachedHouse, stream: bool) -> None:
    house.engine.may_answer.clear()
    bodies = [asked(Q3 if number % 2 else SAME_AS_Q3, stream=stream) for number in range(100)]
    asking = [asyncio.create_task(house.ask(body)) for body in bodies]
    await house.settle()
    assert len(house.engine.requests) == 1
    house.engine.may_answer.set()
    found = await asyncio.gather(*asking)
    assert len({each.text for each in found}) == 1
    assert len(house.engine.requests) == 1
    assert {each.status for each in found} == {CacheStatus.MISS, CacheStatus.EXACT, CacheStatus.CANONICAL}
    assert house.counted("gateway_cache_flight_followers_total", model="fast") == 99
    assert house.holds_nothing


async def test_who_is_waited_for_does_not_wait_for_who_may_be_kept_waiting(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    batch = ((b"x-priority", b"batch"),)
    asking = [asyncio.create_task(house.ask(headers=batch)) for _ in range(5)]
    await house.settle()
    assert len(house.engine.requests) == 1
    asking += [asyncio.create_task(house.ask()) for _ in range(5)]
    await house.settle()
    assert len(house.engine.requests) == 2
    house.engine.may_answer.set()
    assert [found.text for found in await asyncio.gather(*asking)] == [ECHO] * 10
    later = await house.ask(headers=batch)
    assert (later.text, later.status) == (ECHO, CacheStatus.EXACT)
    assert len(house.engine.requests) == 2
    assert house.holds_nothing


async def test_when_the_leader_leaves_another_asks_and_all_are_answered(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    leader, *rest = [asyncio.create_task(house.ask()) for _ in range(10)]
    await house.settle()
    leader.cancel()
    await house.settle()
    assert len(house.engine.requests) == 2
    house.engine.may_answer.set()
    assert [found.text for found in await asyncio.gather(*rest)] == [ECHO] * 9
    assert len(house.engine.requests) == 2
    assert house.holds_nothing


async def test_a_stream_that_its_reader_leaves_is_taken_up_by_another(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    leader = asyncio.create_task(house.ask(asked(stream=True), leave=True))
    await house.settle()
    rest = [asyncio.create_task(house.ask(asked(stream=True))) for _ in range(5)]
    await house.settle()
    house.engine.may_answer.set()
    await leader
    assert [found.text for found in await asyncio.gather(*rest)] == [ECHO] * 5
    assert len(house.engine.requests) == 2


async def test_a_reader_that_stops_in_the_middle_holds_up_nobody(house: CachedHouse) -> None:
    asking = call(msgspec.json.encode(asked(stream=True)))
    asking.token = "key-1"
    reply = await house.pipeline.serve(asking)
    assert isinstance(reply, StreamReply)
    await anext(reply)
    found = await asyncio.wait_for(house.ask(), 15)  # less than followers wait
    assert (found.status, found.text) == (CacheStatus.MISS, ECHO)
    reply.close()
    await house.settle()
    assert house.holds_nothing


async def test_an_engine_that_fails_leaders_is_asked_by_all_the_others_at_once(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    house.engine.error = house.stand_in.error = BackendUnavailable("gone", upstream="fast-1")
    asking = [asyncio.create_task(house.ask()) for _ in range(12)]
    for expected in (1, 2, 12):
        await house.settle()
        assert len(house.engine.requests) == expected
        house.engine.may_answer.set()
        house.engine.may_answer = asyncio.Event()
    house.engine.may_answer.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(each, Exception) for each in found), "every one has heard it of the engine itself"
    assert house.holds_nothing


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_not_kept_sends_all_to_the_engine_at_once(house: CachedHouse, stream: bool) -> None:
    house.engine.finish_reason = "length"
    house.engine.may_answer.clear()
    asking = [asyncio.create_task(house.ask(asked(stream=stream))) for _ in range(10)]
    await house.settle()
    assert len(house.engine.requests) == 1
    house.engine.may_answer.set()
    assert {found.text for found in await asyncio.gather(*asking)} == {ECHO}
    assert len(house.engine.requests) == 10


async def test_who_does_not_store_is_waited_for_by_nobody(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    headers = ((b"cache-control", b"no-store"),)
    asking = [asyncio.create_task(house.ask(headers=headers)) for _ in range(3)]
    await house.settle()
    assert len(house.engine.requests) == 3
    house.engine.may_answer.set()
    await asyncio.gather(*asking)
