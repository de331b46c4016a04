"""The stages run in the order in which they are written, and what they hold is given back exactly once, always."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from api.errors import ApiError, Overloaded, RateLimited, Unauthenticated
from api.tenants.base import UsageRow
from serving.errors import BackendInterrupted, BackendUnavailable
from serving.types import StreamReply, WholeReply
from tests.unit.api.fakes import CHAT, Journal, MemoryLedger, call
from tests.unit.api.held_mark import Mark
from tests.unit.api.house import House

STAGES = ["authenticate", "read", "reserve", "guard", "cache", "open"]
RELEASES = ["close upstream", "bill", "settle"]
STREAM = [[{"choices": [{"delta": {"content": "a"}}]}], [{"choices": [{"delta": {"content": "b"}}]}]]


async def test_the_stages_run_in_order_and_the_reply_holds_it_all_until_it_is_closed() -> None:
    house = House()
    asked = call(journal=house.journal)
    reply = await house.pipeline.serve(asked)
    assert house.journal.entries == STAGES
    assert isinstance(reply, WholeReply)
    assert house.admission.in_flight == 1
    assert len(house.limiter.open) == 1
    assert house.ledger.rows == []
    reply.close()
    assert house.journal.entries == [*STAGES, *RELEASES]
    assert house.holds_nothing
    assert [(held.tokens, used) for held, used in house.limiter.settled] == [(asked.reserved_tokens, 10)]


async def test_closing_twice_releases_once() -> None:
    house = House()
    reply = await house.pipeline.serve(call(journal=house.journal))
    reply.close()
    reply.close()
    assert len(house.ledger.rows) == len(house.limiter.settled) == house.backend.closed == 1
    assert house.holds_nothing


@pytest.mark.parametrize("stage", STAGES)
async def test_a_stage_that_fails_gives_back_what_was_held(stage: str) -> None:
    house = House(journal=Journal(fail_at=stage))
    with pytest.raises(RuntimeError, match="told to fail"):
        await house.pipeline.serve(call(journal=house.journal))
    reached = STAGES[: STAGES.index(stage) + 1]
    admitted = STAGES.index(stage) > STAGES.index("reserve")
    assert house.journal.entries == reached + (["bill", "settle"] if admitted else [])
    assert house.holds_nothing
    # A call that was admitted is in the ledger, though it owes nothing.
    assert [(row.outcome, row.cost_usd) for row in house.ledger.rows] == [("internal_error", Decimal(0))] * admitted
    assert [used for _, used in house.limiter.settled] == [0] * len(house.limiter.settled)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_cancellation_at_any_stage_gives_back_what_was_held(stage: str) -> None:
    house = House(journal=Journal(stop_at=stage))
    serving = asyncio.create_task(house.pipeline.serve(call(journal=house.journal)))
    await asyncio.wait_for(house.journal.stopped.wait(), 10)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert house.holds_nothing
    # Only an engine that had the request is owed something: the prompt, which it may have computed.
    owes = stage == "open"
    assert [
        (row.outcome, row.prompt_tokens > 0, row.completion_tokens, row.estimated) for row in house.ledger.rows
    ] == [("abandoned", owes, 0, owes)] * (STAGES.index(stage) > STAGES.index("reserve"))


async def test_a_stranger_is_refused_before_anything_is_read() -> None:
    house = House()
    stranger = call(journal=house.journal)
    stranger.token = "wrong"
    with pytest.raises(Unauthenticated):
        await house.pipeline.serve(stranger)
    assert house.journal.entries == ["authenticate"]


async def test_a_refused_call_spends_nothing_and_reaches_no_engine() -> None:
    house = House()
    house.limiter.refuse = "tokens"
    asked = call(journal=house.journal)
    with pytest.raises(RateLimited):
        await house.pipeline.serve(asked)
    assert house.journal.entries == ["authenticate", "read", "reserve"]
    assert asked.limits is not None
    assert house.holds_nothing


async def test_an_engine_that_fails_costs_nothing() -> None:
    house = House(BackendUnavailable("gone", upstream="fast-1"))
    with pytest.raises(ApiError):
        await house.pipeline.serve(call(journal=house.journal))
    [row] = house.ledger.rows
    assert (row.outcome, row.upstream, row.prompt_tokens, row.cost_usd) == ("server_is_overloaded", "", 0, Decimal(0))
    assert [used for _, used in house.limiter.settled] == [0]
    assert house.holds_nothing


async def test_the_look_up_runs_beside_a_guard_that_waits() -> None:
    house = House(journal=Journal(stop_at="guard"))
    house.guard.waits = True
    serving = asyncio.create_task(house.pipeline.serve(call(journal=house.journal)))
    await asyncio.wait_for(house.journal.stopped.wait(), 10)
    await turns()
    assert house.journal.entries == ["authenticate", "read", "reserve", "guard", "cache"]
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert house.holds_nothing
    assert [(row.outcome, row.cost_usd) for row in house.ledger.rows] == [("abandoned", Decimal(0))]


async def test_what_a_waiting_guard_lets_pass_goes_on_to_the_engine() -> None:
    house = House()
    house.guard.waits = True
    held = Mark()
    house.cache.held = held
    reply = await house.pipeline.serve(call(journal=house.journal))
    assert house.journal.entries[-1] == "open"
    assert held.releases == 0
    reply.close()
    assert held.releases == 1
    assert house.holds_nothing


@pytest.mark.parametrize("found", [True, False])
async def test_a_guards_refusal_closes_what_was_found_meanwhile(found: bool) -> None:
    house = House(journal=Journal(fail_at="guard", error=Overloaded("not this")))
    house.guard.waits, house.guard.turns = True, 5
    closed, held = Mark(), Mark()
    house.cache.held = held
    if found:
        house.cache.answer = WholeReply(upstream="cache", body={})
        house.cache.answer.holding(closed.as_held())
    with pytest.raises(Overloaded, match="not this"):
        await house.pipeline.serve(call(journal=house.journal))
    await turns()
    assert held.releases == 1
    assert closed.releases == int(found)
    assert house.holds_nothing
    assert "open" not in house.journal.entries


async def test_a_guards_refusal_ends_a_look_up_that_still_waits() -> None:
    house = House(journal=Journal(stop_at="cache", fail_at="guard", error=Overloaded("not this")))
    house.guard.waits, house.guard.turns = True, 5
    held = Mark()
    house.cache.held = held
    with pytest.raises(Overloaded, match="not this"):
        await house.pipeline.serve(call(journal=house.journal))
    await turns()
    assert held.releases == 1
    assert house.holds_nothing


async def test_a_look_up_that_fails_beside_the_guard_fails_the_call() -> None:
    house = House(journal=Journal(fail_at="cache"))
    house.guard.waits = True
    with pytest.raises(RuntimeError, match="told to fail"):
        await house.pipeline.serve(call(journal=house.journal))
    assert house.holds_nothing


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_cached_answer_reaches_no_engine_and_costs_nothing() -> None:
    house = House()
    house.cache.answer = WholeReply(upstream="cache", body={})
    reply = await house.pipeline.serve(call(journal=house.journal))
    assert reply is house.cache.answer
    reply.close()
    assert house.journal.entries == ["authenticate", "read", "reserve", "guard", "cache", "bill", "settle"]
    assert [(row.outcome, row.upstream, row.cost_usd) for row in house.ledger.rows] == [("ok", "", Decimal(0))]
    assert house.holds_nothing


async def test_a_stream_that_is_left_early_is_billed_for_what_it_brought() -> None:
    house = House(STREAM)
    asked = call({**CHAT, "stream": True}, journal=house.journal)
    reply = await house.pipeline.serve(asked)
    assert isinstance(reply, StreamReply)
    await anext(reply)
    asked.outcome = "cancelled"
    reply.close()
    [row] = house.ledger.rows
    assert (row.outcome, row.completion_tokens, row.prompt_tokens) == ("cancelled", 1, asked.prompt_tokens)
    assert row.estimated
    assert [used for _, used in house.limiter.settled] == [asked.prompt_tokens + 1]
    assert house.holds_nothing


async def test_while_an_engine_works_for_a_call_others_can_tell_what_is_owed() -> None:
    house = House()
    asked = call(journal=house.journal)
    reply = await house.pipeline.serve(asked)
    [(row, usage)] = house.ledger.under_way.values()
    assert (row.id, row.occurred_at, row.upstream) == (asked.ledger_id, asked.arrived_at, "fast-1")
    assert (row.estimated, usage.prompt_tokens, row.prefill_price_usd) == (True, asked.prompt_tokens, Decimal(1))
    reply.close()
    assert house.ledger.under_way == {}


async def test_an_engine_that_failed_is_owed_nothing_should_the_worker_be_killed() -> None:
    house = House(BackendUnavailable("gone", upstream="fast-1"), journal=Journal(stop_at="bill"))
    with pytest.raises(ApiError):
        await house.pipeline.serve(call(journal=house.journal))
    assert house.ledger.under_way == {}


async def test_a_stream_that_breaks_off_is_billed_for_what_it_brought() -> None:
    house = House([*STREAM, BackendInterrupted("broke off", upstream="fast-1")])
    reply = await house.pipeline.serve(call({**CHAT, "stream": True}, journal=house.journal))
    assert isinstance(reply, StreamReply)
    with pytest.raises(BackendInterrupted):
        async for _ in reply:
            pass
    reply.close()
    assert house.ledger.rows[0].completion_tokens == 2
    assert house.holds_nothing


class BrokenLedger(MemoryLedger):
    """Breaks its promise never to raise."""

    def record(self, row: UsageRow) -> None:
        raise ZeroDivisionError(row.id)


async def test_one_release_that_fails_does_not_keep_the_others() -> None:
    house = House()
    house.accounting._ledger = BrokenLedger()
    reply = await house.pipeline.serve(call(journal=house.journal))
    with pytest.raises(ZeroDivisionError):
        reply.close()
    assert house.backend.closed == 1
    assert house.holds_nothing


async def test_a_full_worker_refuses_and_has_room_again_when_a_reply_is_closed() -> None:
    house = House(max_in_flight=2)
    first, _ = [await house.pipeline.serve(call(journal=house.journal)) for _ in range(2)]
    with pytest.raises(Overloaded):
        await house.pipeline.serve(call(journal=house.journal))
    assert house.admission.in_flight == 2
    first.close()
    await house.pipeline.serve(call(journal=house.journal))


async def test_many_calls_that_end_in_every_way_leave_nothing_behind() -> None:
    house = House(STREAM, max_in_flight=1000)

    async def serve(number: int) -> None:
        reply = await house.pipeline.serve(call({**CHAT, "stream": True}, journal=house.journal))
        try:
            if number % 3:
                await anext(reply)  # type: ignore[call-overload]  # a stream, because it was asked for
        finally:
            reply.close()

    tasks = [asyncio.create_task(serve(number)) for number in range(200)]
    for turn, task in enumerate(tasks):
        await asyncio.sleep(0)
        if turn % 4 == 0:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert house.holds_nothing
    assert len(house.limiter.settled) <= 200
