"""A call waits for its turn, gets it, gives it on, and whatever ends it leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from api.call import Call, Caller
from api.errors import Overloaded
from api.fairness.engines import Engines, EngineTurn
from api.fairness.queue import FairTurns
from api.fairness.reporting import Reporting
from api.tenants.types import Lane
from observability.metrics import Metrics
from resilience.concurrency import AdaptiveLimit
from resilience.fair_queue import FairQueue
from serving.errors import BackendOverloaded
from serving.types import Held, Json, StreamReply, Usage, WholeReply
from tests.unit.api.fakes import catalogue, model, read_call


@dataclass
class Counter:
    """Engines that do `limit` calls at a time, and the calls that want them."""

    limit: int = 1
    timeout_s: float = 20.0
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.offered = catalogue(model("fast"))
        self.engines = Engines(
            name="fast-1",
            upstreams=["fast-1"],
            queue=FairQueue(clock=time.monotonic, limit=self.limit, max_waiting=5, batch_share=0.1),
            adaptive=AdaptiveLimit(initial=self.limit, ceiling=100),
            reporting=Reporting(self.metrics, "fast-1"),
            timeout_s=self.timeout_s,
            longest_call_s=600.0,
        )
        self.turns = FairTurns({self.offered.models[0].key: self.engines})

    async def call(self, tenant: str = "a", *, lane: Lane = Lane.INTERACTIVE) -> Call:
        call = await read_call(offered=self.offered)
        call.caller = Caller(tenant=tenant, key_id="k", windows=())
        call.lane = lane
        return call

    def gauge(self, name: str) -> float:
        lines = self.metrics.exposition().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))

    def is_empty(self) -> bool:
        gauges = self.gauge("gateway_engine_turns"), self.gauge("gateway_queue_waiting")
        return (self.engines.queue.served, self.engines.queue.waiting, *gauges) == (0, 0, 0, 0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_with_room_nothing_is_awaited() -> None:
    counter, held = Counter(), Held()
    taking = counter.turns.take(await counter.call(), held)
    with pytest.raises(StopIteration):
        taking.send(None)
    assert counter.gauge("gateway_engine_turns") == 1
    held.release()
    assert counter.is_empty()


async def test_a_turn_is_handed_on_when_its_call_ends() -> None:
    counter, first, second = Counter(), Held(), Held()
    await counter.turns.take(await counter.call("a"), first)
    later = await counter.call("b")
    waiting = asyncio.create_task(counter.turns.take(later, second))
    await settle()
    assert not waiting.done()
    assert counter.gauge("gateway_queue_waiting") == 1
    first.release()
    await waiting
    assert later.queue_s > 0
    assert counter.engines.queue.served == 1
    second.release()
    assert counter.is_empty()


@pytest.mark.parametrize("served_meanwhile", [False, True])
async def test_a_client_that_leaves_while_it_waits_leaves_nothing(served_meanwhile: bool) -> None:
    counter, first, second = Counter(), Held(), Held()
    await counter.turns.take(await counter.call("a"), first)
    waiting = asyncio.create_task(counter.turns.take(await counter.call("b"), second))
    await settle()
    if served_meanwhile:
        first.release()  # the turn is the waiter's, which has not run since
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    second.release()
    first.release()
    assert counter.is_empty()


async def test_whose_turn_does_not_come_is_refused() -> None:
    counter, first, second = Counter(timeout_s=0.02), Held(), Held()
    await counter.turns.take(await counter.call("a"), first)
    with pytest.raises(Overloaded, match="did not come in time") as refused:
        await counter.turns.take(await counter.call("b"), second)
    assert refused.value.status == 503
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    second.release()
    first.release()
    assert counter.is_empty()
    assert counter.metrics.totals("gateway_queue_refusals", by="reason") == {"timed_out": 1.0}


async def test_a_full_queue_refuses_at_once() -> None:
    counter, first = Counter(), Held()
    await counter.turns.take(await counter.call("a"), first)
    waiting = [asyncio.create_task(counter.turns.take(await counter.call("a"), Held())) for _ in range(5)]
    await settle()
    with pytest.raises(Overloaded, match="too many of your requests wait"):
        await counter.turns.take(await counter.call("a"), Held())
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_call_has_no_more_patience_than_time() -> None:
    counter, first = Counter(), Held()
    await counter.turns.take(await counter.call("a"), first)
    late = await counter.call("b")
    late.arrived_s -= 700.0
    with pytest.raises(Overloaded, match="would not come in time"):
        await counter.turns.take(late, Held())


async def test_a_model_without_engines_of_its_own_has_no_queue() -> None:
    held = Held()
    await FairTurns({}).take(await Counter().call(), held)
    held.release()


async def test_what_was_used_is_charged() -> None:
    counter, held = Counter(), Held()
    call = await counter.call()
    await counter.turns.take(call, held)
    usage = Usage(prompt_tokens=70, cached_tokens=20, completion_tokens=30)
    call.reply = WholeReply(upstream="fast-1", body={}, usage=usage)
    held.release()
    assert counter.engines.queue.lane(batch=False).accounts["a"].counter == 50 + 2 * 30


async def test_an_engine_that_refuses_gets_less() -> None:
    counter, held = Counter(limit=20), Held()
    calls = [await counter.call() for _ in range(20)]
    for call in calls:
        await counter.turns.take(call, held)
        call.turn.asked("fast-1")
    calls[0].turn.failed(BackendOverloaded("busy", upstream="fast-1"))
    assert counter.engines.queue.limit == 14
    assert counter.gauge("gateway_engine_turns_limit") == 14
    calls[1].turn.failed(BackendOverloaded("busy", upstream="fast-1"))
    assert counter.engines.queue.limit == 14, "it was sent before there were less"
    held.release()
    assert counter.is_empty()


async def test_engines_of_another_model_tell_nothing() -> None:
    counter, held = Counter(limit=20), Held()
    call = await counter.call()
    await counter.turns.take(call, held)
    call.turn.asked("a-fallback")
    call.turn.failed(BackendOverloaded("busy", upstream="a-fallback"))
    assert counter.engines.queue.limit == 20
    held.release()


async def test_a_turn_that_comes_as_the_time_is_up_is_its_callers_until_it_ends() -> None:
    counter, first, second = Counter(timeout_s=0.02), Held(), Held()
    await counter.turns.take(await counter.call("a"), first)
    waiting = asyncio.create_task(counter.turns.take(await counter.call("b"), second))
    await settle()
    asyncio.get_running_loop().call_later(0.001, first.release)
    time.sleep(0.05)  # noqa: ASYNC251 - so that both are due in one round of the loop
    await waiting
    assert (counter.engines.queue.served, counter.gauge("gateway_engine_turns")) == (1, 1)
    second.release()
    assert counter.is_empty()


async def test_a_prompt_that_was_cached_says_nothing_about_others() -> None:
    counter, measured = Counter(limit=20), dict[int, str]()
    for cached in (0, 80):
        held, call = Held(), await counter.call()
        await counter.turns.take(call, held)
        call.turn.asked("fast-1")
        call.turn.began()
        usage = Usage(prompt_tokens=100, cached_tokens=cached, completion_tokens=3)
        call.reply = StreamReply(upstream="fast-1", frames=no_frames(), usage=usage)
        held.release()
        (measured[cached],) = counter.engines.adaptive.measured()
    assert counter.is_empty()
    assert [place.rpartition("/")[2] for place in measured.values()] == ["0", "3"]


async def test_a_stream_that_was_left_says_nothing_about_what_was_cached() -> None:
    counter = Counter(limit=20)
    for usage in (Usage(prompt_tokens=100, completion_tokens=3), None):
        held, call = Held(), await counter.call()
        await counter.turns.take(call, held)
        call.turn.asked("fast-1")
        call.turn.began()
        call.reply = StreamReply(upstream="fast-1", frames=no_frames(), usage=usage)
        held.release()
        assert bool(counter.engines.adaptive.measured()) is (usage is not None)


async def no_frames() -> AsyncIterator[list[Json]]:
    return
    yield


async def test_a_turn_that_has_ended_leaves_nothing_for_the_garbage_collector() -> None:
    def alive() -> set[int]:
        # By `type`: `isinstance` asks weak proxies of dead objects, which other tests may have left, and they raise.
        return {id(found) for found in gc.get_objects() if type(found) in (EngineTurn, Call)}

    counter, held = Counter(), Held()
    gc.disable()
    try:
        before = alive()
        await counter.turns.take(await counter.call(), held)
        held.release()
        assert not alive() - before
    finally:
        gc.enable()
