"""Redis is away, late, or holds what nobody of ours has written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from api.sessions.base import SessionStoreError
from api.sessions.redis_store import RedisSessionStore
from tests.conftest import RedisServer
from tests.integration.api.sessions.desk import ID, TENANT, Desk, add, questions, turn

SYSTEM = {"role": "system", "content": "Be brief."}


async def works_again(store: RedisSessionStore) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await store.read(TENANT, ID)
            except SessionStoreError:
                await asyncio.sleep(0.02)
            else:
                return


async def every_method_fails(store: RedisSessionStore) -> None:
    for call in (
        store.create(TENANT, ID),
        store.read(TENANT, ID),
        store.append(TENANT, ID, turn("x"), generation=0, system=()),
        store.delete(TENANT, ID),
    ):
        with pytest.raises(SessionStoreError):
            await call


async def test_a_redis_that_is_killed_costs_nobody_any_time(desk: Desk, redis_server: RedisServer) -> None:
    store = desk.store()
    await add(store, turn("one"))
    redis_server.kill()
    with pytest.raises(SessionStoreError):
        await store.read(TENANT, ID)
    began_s = time.monotonic()
    for _ in range(50):
        await every_method_fails(store)
    assert time.monotonic() - began_s < 3  # what a single one might have waited
    redis_server.restart()
    await works_again(store)
    assert await add(store, turn("two")) == ["stored"]


async def test_a_frozen_redis_costs_those_who_wait_the_time_they_have(desk: Desk, redis_server: RedisServer) -> None:
    store = desk.store(timeout_s=0.2)
    await add(store, turn("one"))
    redis_server.freeze()
    began_s = time.monotonic()
    outcomes = await asyncio.gather(*(store.read(TENANT, ID) for _ in range(100)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {SessionStoreError}
    await every_method_fails(store)
    assert time.monotonic() - began_s < 2
    redis_server.thaw()
    await works_again(store)
    assert (await questions(store))[0] == "one"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "of another program": lambda _: b"hello",
    "cut off": lambda entry: entry[:-3],
    "a flipped bit": lambda entry: entry[:-1] + bytes([entry[-1] ^ 1]),
    "another size": lambda entry: entry[:1] + b"\0\0\0\1" + entry[5:],
    "another version": lambda entry: entry.replace(b"ST1", b"ST9"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_corrupt_turn_is_none_and_removed(
    desk: Desk, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    store = desk.store()
    await add(store, turn("one"), turn("secret two"), turn("three"))
    meta, turns = desk.redis_keys()
    entries: Any = desk.client.lrange(turns, 0, -1)
    client: Any = desk.client  # its types have text alone
    client.lset(turns, 1, damage(entries[1]))
    with caplog.at_level(logging.WARNING):
        found = await store.read(TENANT, ID)
    assert ([each.question for each in found.turns], found.corrupt) == (["one", "three"], 1)
    assert "secret" not in caplog.text
    assert desk.client.lrange(turns, 0, -1) == [entries[0], entries[2]]
    assert desk.client.hget(meta, "n") == b"2"
    size = sum(int.from_bytes(entries[place][1:5], "big") for place in (0, 2))
    assert desk.client.hget(meta, "b") == str(size).encode()
    assert await add(store, turn("four")) == ["stored"]
    assert (await store.read(TENANT, ID)).corrupt == 0


async def test_a_corrupt_system_prompt_is_none_and_removed(desk: Desk) -> None:
    store = desk.store()
    await add(store, turn("one"), system=(SYSTEM,))
    meta, _ = desk.redis_keys()
    desk.client.hset(meta, "s", b"garbage")
    found = await store.read(TENANT, ID)
    assert (found.system, found.corrupt, len(found.turns)) == ((), 1, 1)
    assert desk.client.hget(meta, "s") is None


@pytest.mark.parametrize("which", [0, 1])
async def test_a_key_of_another_type_counts_as_not_there(desk: Desk, which: int) -> None:
    store = desk.store()
    await add(store, turn("one"))
    key = desk.redis_keys()[which]
    desk.client.delete(key)
    desk.client.sadd(key, "not ours")
    assert (await store.read(TENANT, ID)).turns == ()
    assert await add(store, turn("two")) == ["stored"]
    assert await questions(store) == ["two"]


@pytest.mark.parametrize("which", [0, 1])
async def test_half_of_a_session_is_none_of_it(desk: Desk, which: int) -> None:
    store = desk.store(max_turns=2)
    await add(store, turn("one"), turn("two"))
    desk.client.delete(desk.redis_keys()[which])
    assert await questions(store) == []
    assert await add(store, *map(turn, "abc")) == ["stored"] * 3
    assert await questions(store) == ["b", "c"]


async def test_a_redis_that_restarts_empty_is_filled_again(desk: Desk) -> None:
    store = desk.store()
    await add(store, turn("one"))
    desk.client.flushall()
    desk.client.script_flush()
    assert await questions(store) == []
    assert await add(store, turn("two")) == ["stored"]


async def test_a_full_redis_takes_no_turn_and_still_deletes(desk: Desk) -> None:
    store = desk.store()
    await add(store, turn("one"))
    with redis.Redis.from_url(desk.url) as client:
        before = client.config_get("maxmemory")["maxmemory"]
        try:
            client.config_set("maxmemory", client.info("memory")["used_memory"])
            # Those that have not looked yet at how full it is, and those that have.
            assert await add(desk.store(), turn("two")) == ["no_room"]
            client.config_set("maxmemory", 1)
            with pytest.raises(SessionStoreError, match="OOM"):
                await add(store, turn("two"))
            assert await questions(store) == ["one"]
            assert await store.delete(TENANT, ID)
        finally:
            client.config_set("maxmemory", before)
    assert await questions(store) == []
