"""`Deadline` beside `asyncio.timeout_at`: the same blocks must end the same way in both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
import uvloop

from resilience.deadline import Deadline

Limit = Callable[[float], AbstractAsyncContextManager[object]]
# Is given the kind of limit and the time, and ends in the way that its name tells.
Block = Callable[[Limit, float], Awaitable[object]]
SOON_S, LATER_S, NEVER_S = 0.01, 0.02, 3600.0


@asynccontextmanager
async def _deadline(when: float) -> AsyncIterator[None]:
    with Deadline(when):
        yield


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def is_done_in_time(limit: Limit, now: float) -> object:
    async with limit(now + NEVER_S):
        await asyncio.sleep(0)
        return "done"


async def takes_too_long(limit: Limit, now: float) -> object:
    async with limit(now + SOON_S):
        await asyncio.sleep(NEVER_S)
    return "not reached"


async def is_in_the_past_and_waits_for_one_turn(limit: Limit, now: float) -> object:
    async with limit(now - 1):
        await asyncio.sleep(0)
    return "not reached"


async def is_now_and_waits(limit: Limit, now: float) -> object:
    async with limit(now):
        await asyncio.sleep(LATER_S)
    return "not reached"


async def is_in_the_past_and_waits_for_nothing(limit: Limit, now: float) -> object:
    async with limit(now - 1):
        pass
    await asyncio.sleep(SOON_S)  # a timer that is left behind would hit here
    return "done"


async def fails_by_itself(limit: Limit, now: float) -> object:
    async with limit(now + NEVER_S):
        raise ValueError("by itself")


async def fails_after_it_expired(limit: Limit, now: float) -> object:
    async with limit(now + SOON_S):
        try:
            await asyncio.sleep(NEVER_S)
        finally:
            raise ValueError("on the way out")


async def swallows_the_cancellation(limit: Limit, now: float) -> object:
    async with limit(now + SOON_S):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(NEVER_S)
        await asyncio.sleep(0)
    await asyncio.sleep(SOON_S)
    return "done"


async def raises_a_timeout_of_its_own(limit: Limit, now: float) -> object:
    async with limit(now + NEVER_S):
        raise TimeoutError("its own")


async def nests_and_the_inner_expires(limit: Limit, now: float) -> object:
    async with limit(now + NEVER_S):
        try:
            async with limit(now + SOON_S):
                await asyncio.sleep(NEVER_S)
        except TimeoutError:
            await asyncio.sleep(0)
            return "the inner"
    return "not reached"


async def nests_and_the_outer_expires(limit: Limit, now: float) -> object:
    try:
        async with limit(now + SOON_S):
            try:
                async with limit(now + NEVER_S):
                    await asyncio.sleep(NEVER_S)
            except TimeoutError:
                return "the inner"
    except TimeoutError:
        await asyncio.sleep(0)
        return "the outer"
    return "not reached"


async def nests_and_both_expire_at_once(limit: Limit, now: float) -> object:
    try:
        async with limit(now - 1):
            try:
                async with limit(now - 1):
                    await asyncio.sleep(NEVER_S)
            except TimeoutError:
                return "the inner"
    except TimeoutError:
        await asyncio.sleep(0)
        return "the outer"
    return "not reached"


async def is_inside_of_asyncios_own(limit: Limit, now: float) -> object:
    try:
        async with asyncio.timeout_at(now + SOON_S), limit(now + NEVER_S):
            await asyncio.sleep(NEVER_S)
    except TimeoutError:
        await asyncio.sleep(0)
        return "the outer"
    return "not reached"


async def is_around_asyncios_own(limit: Limit, now: float) -> object:
    try:
        async with limit(now + SOON_S), asyncio.timeout_at(now + NEVER_S):
            await asyncio.sleep(NEVER_S)
    except TimeoutError:
        await asyncio.sleep(0)
        return "the outer"
    return "not reached"


async def cancels_its_own_task(limit: Limit, now: float) -> object:
    async with limit(now + NEVER_S):
        _this_task().cancel()
        await asyncio.sleep(0)
    return "not reached"


async def is_cancelled_in_the_turn_in_which_it_expires(limit: Limit, now: float) -> object:
    async with limit(now - 1):
        asyncio.get_running_loop().call_soon(_this_task().cancel)
        await asyncio.sleep(NEVER_S)
    return "not reached"


async def expires_while_it_cleans_up_after_a_cancellation(limit: Limit, now: float) -> object:
    async with limit(now + SOON_S):
        try:
            _this_task().cancel()
            await asyncio.sleep(NEVER_S)
        finally:
            await asyncio.sleep(LATER_S)
    return "not reached"


async def was_cancelled_before_and_expires(limit: Limit, now: float) -> object:
    _this_task().cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    async with limit(now + SOON_S):
        await asyncio.sleep(NEVER_S)
    return "not reached"


async def is_done_just_as_it_expires(limit: Limit, now: float) -> object:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    async with limit(now - 1):  # expires in the same turn, before the future has its result
        loop.call_soon(finish)
        await done
    return "not reached"


async def has_a_result_just_before_it_expires(limit: Limit, now: float) -> object:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, None)
    async with limit(now - 1):
        await done
    return "not reached"


async def is_used_again(limit: Limit, now: float) -> object:
    ends = []
    for when in (now + SOON_S, now + NEVER_S, now - 1):
        try:
            async with limit(when):
                await asyncio.sleep(LATER_S)
            ends.append("in time")
        except TimeoutError:
            ends.append("too late")
    return ends


BLOCKS: list[Block] = [
    is_done_in_time,
    takes_too_long,
    is_in_the_past_and_waits_for_one_turn,
    is_now_and_waits,
    is_in_the_past_and_waits_for_nothing,
    fails_by_itself,
    fails_after_it_expired,
    swallows_the_cancellation,
    raises_a_timeout_of_its_own,
    nests_and_the_inner_expires,
    nests_and_the_outer_expires,
    nests_and_both_expire_at_once,
    is_inside_of_asyncios_own,
    is_around_asyncios_own,
    cancels_its_own_task,
    is_cancelled_in_the_turn_in_which_it_expires,
    expires_while_it_cleans_up_after_a_cancellation,
    was_cancelled_before_and_expires,
    is_done_just_as_it_expires,
    has_a_result_just_before_it_expires,
    is_used_again,
]


async def _end_of(block: Block, limit: Limit) -> tuple[object, ...]:
    """How the block ended, and what is left of it in its task."""

    async def run() -> object:
        return await block(limit, asyncio.get_running_loop().time())

    task = asyncio.create_task(run())
    [ended] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(ended, BaseException):
        ended = (type(ended), str(ended), type(ended.__cause__))
    return ended, task.cancelled(), task.cancelling()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_ends_as_with_asyncios_own(block: Block, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        expected = runner.run(_end_of(block, asyncio.timeout_at))
        assert runner.run(_end_of(block, _deadline)) == expected


def test_the_table_has_each_kind_of_end() -> None:
    with asyncio.Runner() as runner:
        ends = [runner.run(_end_of(block, _deadline))[0] for block in BLOCKS]
    assert {end[0] for end in ends if isinstance(end, tuple)} == {TimeoutError, ValueError, asyncio.CancelledError}
    assert {end for end in ends if isinstance(end, str)} == {"done", "the inner", "the outer"}
    assert ["too late", "in time", "too late"] in ends


async def test_outside_of_a_task_there_is_nothing_to_cancel() -> None:
    loop = asyncio.get_running_loop()
    refusals: asyncio.Queue[Exception] = asyncio.Queue()

    def enter() -> None:
        try:
            with Deadline(loop.time() + NEVER_S):
                pass
        except RuntimeError as error:
            refusals.put_nowait(error)

    loop.call_soon(enter)
    assert "needs a task" in str(await asyncio.wait_for(refusals.get(), 10))


async def test_no_timer_is_left_behind() -> None:
    deadline = Deadline(asyncio.get_running_loop().time() + NEVER_S)
    with deadline:
        assert not deadline._timer.cancelled()
    assert deadline._timer.cancelled()
