"""Where a session stands among the stages, and that waiting for it holds nothing for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from api.call import Call
from serving.types import Reply
from tests.unit.api.fakes import CHAT, Journal, call
from tests.unit.api.house import House


class StoppingMemory:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def recall(self, call: Call) -> None:
        call.reserved_tokens += 1000
        await self._journal.reach("recall")

    async def remember(self, call: Call, reply: Reply) -> None:  # noqa: ARG002 - the protocol's signature
        await self._journal.reach("remember")


IN_A_SESSION = ["authenticate", "read", "recall", "reserve", "guard", "cache", "open", "remember"]


def remembering(journal: Journal) -> tuple[House, Call]:
    house = House(journal=journal)
    house.pipeline = replace(house.pipeline, memory=StoppingMemory(journal))
    return house, call({**CHAT, "session_id": "a-session-of-tests"}, journal=journal)


async def test_what_was_said_before_is_recalled_before_the_limits_and_kept_at_the_end() -> None:
    house, asked = remembering(Journal())
    reply = await house.pipeline.serve(asked)
    assert house.journal.entries == IN_A_SESSION
    assert [held.tokens for held in house.limiter.open] == [asked.reserved_tokens]
    assert asked.reserved_tokens > 1000
    reply.close()
    assert house.holds_nothing


@pytest.mark.parametrize("stage", ["recall", "remember"])
async def test_a_cancellation_while_a_session_is_awaited_gives_back_what_was_held(stage: str) -> None:
    house, asked = remembering(Journal(stop_at=stage))
    serving = asyncio.create_task(house.pipeline.serve(asked))
    await asyncio.wait_for(house.journal.stopped.wait(), 10)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert house.holds_nothing
    assert house.backend.closed == (stage == "remember")
    assert len(house.ledger.rows) == (stage == "remember")
