"""Sessions in a real Redis: what is kept, for whom, for how long."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from api.sessions.types import Appended, Outcome, Session
from serving.types import Json
from tests.integration.api.sessions.desk import ID, TENANT, Desk, add, questions, turn

SYSTEM: Json = {"role": "system", "content": "Be brief."}


async def test_what_is_stored_comes_back_to_every_worker(desk: Desk) -> None:
    first, second = turn("one"), turn("two", size=5000)
    await add(desk.store(), first, second, system=(SYSTEM,))
    found = await desk.store().read(TENANT, ID)
    assert found == Session(turns=(first, second), system=(SYSTEM,), expires_in_s=60, exists=True)


async def test_what_never_was_is_not_there_and_leaves_nothing(desk: Desk) -> None:
    assert await desk.store().read(TENANT, ID) == Session()
    assert desk.redis_keys() == []


async def test_an_empty_one_is_there(desk: Desk) -> None:
    store = desk.store()
    await store.create(TENANT, ID)
    assert await store.read(TENANT, ID) == Session(exists=True, expires_in_s=60)
    await add(store, turn("one"))
    await store.create(TENANT, ID)
    assert await questions(store) == ["one"]


async def test_the_last_system_prompt_is_the_one(desk: Desk) -> None:
    store, other = desk.store(), {"role": "system", "content": "Be verbose."}
    for prompt in ((SYSTEM,), (), (other,), ()):
        await add(store, turn("q"), system=prompt)
    assert (await store.read(TENANT, ID)).system == (other,)


async def test_tenants_and_secrets_keep_sessions_apart(desk: Desk) -> None:
    await add(desk.store(), turn("one"))
    for store, tenant, session_id in (
        (desk.store(), "other", ID),
        (desk.store(), TENANT[:-1], TENANT[-1] + ID),
        (desk.store(secret=b"another"), TENANT, ID),
    ):
        assert not (await store.read(tenant, session_id)).exists
        assert not await store.delete(tenant, session_id)
    assert await questions(desk.store()) == ["one"]
    for key in desk.redis_keys():
        assert TENANT not in key
        assert ID not in key


async def test_both_keys_of_a_session_are_in_one_slot_of_a_cluster(desk: Desk) -> None:
    await add(desk.store(), turn("one"))
    head, turns = desk.redis_keys()
    assert turns == f"{head}:turns"
    assert head.startswith("session:{")
    assert head.endswith("}")


async def test_the_oldest_turns_make_room(desk: Desk) -> None:
    store = desk.store(max_turns=3)
    dropped = [(await store.append(TENANT, ID, turn(str(n)), generation=0, system=())).dropped for n in range(5)]
    assert dropped == [0, 0, 0, 1, 1]
    assert await questions(store) == ["2", "3", "4"]


async def test_a_turn_goes_with_all_that_goes_on_with_it(desk: Desk) -> None:
    store = desk.store(max_turns=2)
    await add(store, turn("a"), turn("a2", continues=True), turn("b"), turn("b2", continues=True))
    first, second = (await store.read(TENANT, ID)).turns
    assert first.messages == (*turn("a").messages, *turn("a2").messages)
    assert (first.question, second.question) == ("a", "b")
    await add(store, turn("c"))
    assert [len(each.messages) for each in (await store.read(TENANT, ID)).turns] == [4, 2]
    assert await questions(store) == ["b", "c"]


async def test_no_more_bytes_than_it_may_have(desk: Desk) -> None:
    store = desk.store(max_bytes=3000)
    assert await add(store, *(turn(str(n), size=800) for n in range(5))) == ["stored"] * 5
    assert await questions(store) == ["2", "3", "4"]
    # One alone that is larger changes nothing; nor does a step that makes its turn larger.
    assert await add(store, turn("huge", size=3000), turn("step", size=2300, continues=True)) == ["too_large"] * 2
    assert await questions(store) == ["2", "3", "4"]
    # Sizes are those that a gateway has to hold: these compress to next to nothing.
    assert sum(len(desk.client.dump(key) or b"") for key in desk.redis_keys()) < 1500
    # The system prompt takes room too.
    assert await add(store, turn("last"), system=({"role": "system", "content": "y" * 1500},)) == ["stored"]
    assert await questions(store) == ["4", "last"]


async def test_a_step_that_is_the_first_begins_a_turn(desk: Desk) -> None:
    store = desk.store()
    await add(store, turn("step", continues=True), turn("more", continues=True))
    (only,) = (await store.read(TENANT, ID)).turns
    assert (only.question, only.continues) == ("step", False)


async def test_reading_and_writing_make_it_last(desk: Desk) -> None:
    store = desk.store(ttl_s=0.6)
    await add(store, turn("one"))
    for _ in range(3):
        await asyncio.sleep(0.35)
        assert await questions(store) == ["one"]
    await asyncio.sleep(0.9)
    assert not (await store.read(TENANT, ID)).exists
    assert desk.redis_keys() == []


async def test_one_that_expires_under_a_call_begins_again_with_it(desk: Desk) -> None:
    store = desk.store(ttl_s=0.2)
    await store.delete(TENANT, ID)
    generation = (await store.read(TENANT, ID)).generation
    assert generation > 0
    await add(store, turn("one"), generation=generation)
    desk.client.flushall()
    assert await add(store, turn("two"), turn("three"), generation=generation) == ["stored"] * 2
    assert await questions(store) == ["two", "three"]


async def test_a_deletion_is_not_undone_by_what_was_under_way(desk: Desk) -> None:
    store = desk.store()
    await add(store, turn("one"), system=(SYSTEM,))
    before = (await store.read(TENANT, ID)).generation
    assert await store.delete(TENANT, ID)
    assert not await store.delete(TENANT, ID)
    assert await add(store, turn("late"), generation=before) == ["deleted"]
    after = await store.read(TENANT, ID)
    assert (after.exists, after.turns, after.system) == (False, (), ())
    # The id may be used again.
    assert await add(store, turn("new"), generation=after.generation) == ["stored"]
    assert await add(store, turn("late"), generation=before) == ["deleted"]
    assert await questions(store) == ["new"]


async def test_a_deletion_of_what_is_about_to_begin_holds_too(desk: Desk) -> None:
    store = desk.store()
    before = (await store.read(TENANT, ID)).generation
    assert not await store.delete(TENANT, ID)
    assert await add(store, turn("late"), generation=before) == ["deleted"]
    # And is forgotten when no call can be under way any more.
    (key,) = desk.redis_keys()
    assert 0 < desk.client.pttl(key) <= 30_000


async def test_two_writers_lose_nothing(desk: Desk) -> None:
    workers = [desk.store() for _ in range(4)]
    texts = [f"{worker}-{number}" for worker in range(4) for number in range(5)]
    random.Random(5).shuffle(texts)  # noqa: S311 - an order
    await asyncio.gather(*(add(workers[int(text[0])], turn(text)) for text in texts))
    found = await questions(workers[0])
    assert sorted(map(str, found)) == sorted(texts)


async def test_a_thousand_turns_at_once_leave_the_last_twenty(desk: Desk) -> None:
    workers = [desk.store(timeout_s=20) for _ in range(4)]

    async def call(number: int) -> Appended:
        store = workers[number % 4]
        read = await store.read(TENANT, ID)
        assert len(read.turns) <= 20
        return await store.append(TENANT, ID, turn(str(number)), generation=read.generation, system=(SYSTEM,))

    outcomes = await asyncio.gather(*map(call, range(1000)))
    assert {each.outcome for each in outcomes} == {Outcome.STORED}
    assert sum(each.dropped for each in outcomes) == 980
    session = await workers[0].read(TENANT, ID)
    assert len(session.turns) == 20
    head, turns = desk.redis_keys()
    entries: Any = desk.client.lrange(turns, 0, -1)
    sizes = [int.from_bytes(entry[1:5], "big") for entry in entries]
    assert desk.client.hmget(head, "n", "b") == [b"20", str(sum(sizes)).encode()]


@pytest.mark.parametrize("size", [10, 70_000])
async def test_large_ones_are_packed_aside(desk: Desk, size: int) -> None:
    store = desk.store(max_bytes=10_000_000)
    turns = [turn(str(number), size=size) for number in range(3)]
    await add(store, *turns)
    assert (await store.read(TENANT, ID)).turns == tuple(turns)
