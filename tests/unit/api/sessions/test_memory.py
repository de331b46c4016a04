"""What of a session is put before a call, and what of the call becomes part of the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from api.call import Call
from api.errors import InvalidRequest
from api.sessions.base import SessionStoreError
from api.sessions.memory import SessionMemory
from api.sessions.messages import message_tokens
from api.sessions.reporting import Reporting
from api.sessions.types import Appended, Outcome, Session, SessionState, Turn
from observability.metrics import Metrics
from rag.types import StandaloneQuestion
from serving.errors import BackendInterrupted
from serving.types import Json, StreamReply, WholeReply
from tests.unit.api.fakes import catalogue, model, read_call

OFFERED = catalogue(replace(model("fast"), context_tokens=400, max_output_tokens=300))
ID = "a-session-of-tests"
SYSTEM: Json = {"role": "system", "content": "Be brief."}
FRAMES: list[list[Json]] = [
    [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "b"}}]}],
    [{"choices": [{"index": 0, "delta": {"content": "c"}, "finish_reason": "stop"}]}],
]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(text: str) -> Json:
    return {"role": "assistant", "content": text}


def turn(text: str, question: str | None = None) -> Turn:
    return Turn(messages=(user(text), assistant(f"re {text}")), question=question or text, at_s=1.0)


@dataclass
class MemoryStore:
    session: Session = field(default_factory=Session)
    error: Exception | None = None
    outcome: Outcome = Outcome.STORED
    appended: list[tuple[str, str, Turn, int, tuple[Json, ...]]] = field(default_factory=list)

    async def create(self, tenant: str, session_id: str) -> None:
        raise AssertionError((tenant, session_id))

    async def read(self, tenant: str, session_id: str) -> Session:
        assert (tenant, session_id) == ("finsight", ID)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.session

    async def append(
        self, tenant: str, session_id: str, turn: Turn, *, generation: int, system: tuple[Json, ...]
    ) -> Appended:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.appended.append((tenant, session_id, turn, generation, system))
        return Appended(self.outcome)

    async def delete(self, tenant: str, session_id: str) -> bool:
        raise AssertionError((tenant, session_id))


class Desk:
    """A memory over one session."""

    def __init__(self, store: MemoryStore | None = None, *, context_tokens: int = 10_000) -> None:
        self.store = store or MemoryStore()
        self.metrics = Metrics()
        self.memory = SessionMemory(
            store=self.store,
            context_tokens=context_tokens,
            max_bytes=1000,
            reporting=Reporting(self.metrics),
            now_s=lambda: 7.0,
        )

    async def recalled(self, *messages: Json, **fields: Any) -> Call:
        body = {"messages": list(messages), "max_tokens": 10, "session_id": ID, **fields}
        call = await read_call(body, offered=OFFERED)
        await self.memory.recall(call)
        return call

    def counted(self, outcome: str) -> float:
        return self.metrics.totals("gateway_session_turns", by="outcome").get(outcome, 0.0)


def whole(text: str = "a", finish_reason: str = "stop") -> WholeReply:
    choice = {"index": 0, "message": assistant(text), "finish_reason": finish_reason}
    return WholeReply(upstream="fast-1", body={"choices": [choice]})


def stream(batches: Sequence[Any] = FRAMES) -> StreamReply:
    async def frames() -> AsyncIterator[list[Json]]:
        for batch in batches:
            await asyncio.sleep(0)
            if isinstance(batch, Exception):
                raise batch
            yield batch

    return StreamReply(upstream="fast-1", frames=frames())


def known(*turns: Turn, system: Sequence[Json] = (), generation: int = 0) -> MemoryStore:
    return MemoryStore(Session(turns=turns, system=tuple(system), exists=True, expires_in_s=9, generation=generation))


async def test_what_was_said_before_stands_in_front_and_counts() -> None:
    without = await read_call({"messages": [user("now")], "max_tokens": 10}, offered=OFFERED)
    call = await Desk(known(turn("one", "one?"), turn("two"), system=[SYSTEM])).recalled(user("now"))
    expected = [SYSTEM, *turn("one").messages, *turn("two").messages, user("now")]
    assert call.body["messages"] == expected
    assert "session_id" not in call.body
    assert call.session_state is SessionState.CONTINUED
    assert call.earlier_questions == ("one?", "two")
    added = call.prompt_tokens - without.prompt_tokens
    assert added == sum(map(message_tokens, expected[:-1]))
    assert call.reserved_tokens - without.reserved_tokens == added
    assert call.body_bytes > without.body_bytes + 100


async def test_what_the_body_brings_was_asked_after_what_is_remembered() -> None:
    brought = [user("two"), assistant("2"), {"role": "user", "content": [{"type": "text", "text": "three"}]}]
    call = await Desk(known(turn("one"))).recalled(SYSTEM, *brought, assistant("3"), user("and then?"))
    assert call.earlier_questions == ("one", "two", "three")


async def test_a_new_session_has_nothing_to_add() -> None:
    call = await Desk().recalled(SYSTEM, user("now"))
    assert call.body["messages"] == [SYSTEM, user("now")]
    assert (call.session_state, call.earlier_questions) == (SessionState.NEW, ())


@pytest.mark.parametrize(
    ("context_tokens", "room", "kept"), [(10_000, 10, 3), (45, 10, 1), (10_000, 300, 1), (1, 10, 0)]
)
async def test_no_more_than_the_budget_and_the_models_context_hold(context_tokens: int, room: int, kept: int) -> None:
    """Each turn is 34 tokens; the model's context has 400, of which the answer may take `room`."""
    turns = [turn("x" * 48) for _ in range(3)]
    desk = Desk(known(*turns), context_tokens=context_tokens)
    filler = user("y" * 4 * (30 if room == 300 else 1))
    call = await desk.recalled(filler, max_tokens=room)
    assert len(call.body["messages"]) == 1 + 2 * kept
    assert len(call.earlier_questions) == 3


@pytest.mark.parametrize("error", [SessionStoreError("away"), RuntimeError("a mistake")])
async def test_a_store_that_is_away_costs_the_history_and_nothing_else(error: Exception) -> None:
    desk = Desk(MemoryStore(error=error))
    call = await desk.recalled(user("now"))
    assert call.body["messages"] == [user("now")]
    assert call.session_state is SessionState.STATELESS
    await desk.memory.remember(call, whole())
    assert call.session_state is SessionState.STATELESS
    assert b'gateway_session_recall_seconds_count{state="stateless"} 1.0' in desk.metrics.exposition()


async def test_a_whole_answer_becomes_a_turn() -> None:
    desk = Desk(known(generation=3))
    call = await desk.recalled(SYSTEM, user("now"))
    await desk.memory.remember(call, whole())
    expected = Turn(messages=(user("now"), assistant("a")), question="now", at_s=7.0)
    assert desk.store.appended == [("finsight", ID, expected, 3, (SYSTEM,))]
    assert call.session_state is SessionState.NEW
    assert desk.counted("stored") == 1


@pytest.mark.parametrize("turns", [[], [turn("one")]])
async def test_what_later_stages_put_into_the_prompt_is_not_remembered(turns: list[Turn]) -> None:
    desk = Desk(known(*turns))
    call = await desk.recalled(user("and now?"))
    call.body["messages"][-1]["content"] = "passages, and the question"
    call.standalone = StandaloneQuestion(text="What of one now?", search_text="one", words=())
    await desk.memory.remember(call, whole())
    ((_, _, kept, _, _),) = desk.store.appended
    assert kept.messages == (user("and now?"), assistant("a"))
    assert kept.question == "What of one now?"


async def test_a_stream_is_kept_before_its_end_is_told() -> None:
    desk = Desk()
    call = await desk.recalled(user("now"))
    reply = stream()
    await desk.memory.remember(call, reply)
    read = [batch async for batch in reply]
    assert read == FRAMES
    ((_, _, kept, _, _),) = desk.store.appended
    assert kept.messages == (user("now"), assistant("bc"))


async def test_a_stream_that_is_left_or_breaks_off_is_not_kept() -> None:
    desk = Desk()
    reply = stream()
    await desk.memory.remember(await desk.recalled(user("now")), reply)
    assert await anext(reply) == FRAMES[0]
    broken = stream([*FRAMES, BackendInterrupted("gone", upstream="fast-1")])
    await desk.memory.remember(await desk.recalled(user("now")), broken)
    with pytest.raises(BackendInterrupted):
        [batch async for batch in broken]
    assert desk.store.appended == []


@pytest.mark.parametrize(
    ("outcome", "finish_reason", "counted"),
    [
        (Outcome.TOO_LARGE, "stop", "too_large"),
        (Outcome.DELETED, "stop", "deleted"),
        (Outcome.STORED, "content_filter", "unfit"),
    ],
)
async def test_a_whole_answer_says_that_it_is_not_kept(outcome: Outcome, finish_reason: str, counted: str) -> None:
    desk = Desk(MemoryStore(outcome=outcome))
    call = await desk.recalled(user("now"))
    await desk.memory.remember(call, whole(finish_reason=finish_reason))
    assert call.session_state is SessionState.NOT_STORED
    assert desk.counted(counted) == 1


@pytest.mark.parametrize("error", [SessionStoreError("away"), RuntimeError("a mistake")])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_store_that_goes_meanwhile_costs_the_turn_and_nothing_else(error: Exception, streams: bool) -> None:
    desk = Desk()
    call = await desk.recalled(user("now"))
    desk.store.error = error
    if streams:
        reply = stream()
        await desk.memory.remember(call, reply)
        assert [batch async for batch in reply] == FRAMES
    else:
        await desk.memory.remember(call, whole())
        assert call.session_state is SessionState.NOT_STORED
    assert desk.counted("lost") == 1


async def test_an_answer_larger_than_a_session_is_given_up_on_the_way() -> None:
    desk = Desk()
    call = await desk.recalled(user("now"))
    reply = stream([[{"choices": [{"index": 0, "delta": {"content": "x" * 600}}]}]] * 2 + FRAMES)
    await desk.memory.remember(call, reply)
    assert len([batch async for batch in reply]) == 4
    assert desk.counted("too_large") == 1
    assert desk.store.appended == []


async def test_a_result_of_a_tool_goes_on_with_the_turn() -> None:
    calling: Json = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]}
    asked = Turn(messages=(user("q"), calling), question="q", at_s=1.0)
    desk = Desk(known(asked))
    result: Json = {"role": "tool", "tool_call_id": "c", "content": "42"}
    call = await desk.recalled(result)
    assert call.body["messages"] == [user("q"), calling, result]
    await desk.memory.remember(call, whole())
    ((_, _, kept, _, _),) = desk.store.appended
    assert (kept.continues, kept.question) == (True, None)


async def test_a_result_without_its_call_is_refused() -> None:
    result: Json = {"role": "tool", "tool_call_id": "c", "content": "42"}
    with pytest.raises(InvalidRequest) as refused:
        await Desk(known(turn("one"))).recalled(SYSTEM, user("q"), result)
    assert refused.value.param == "messages[2].tool_call_id"
    # Of a store that is away nobody knows: the engine may judge.
    call = await Desk(MemoryStore(error=SessionStoreError("away"))).recalled(result)
    assert call.body["messages"] == [result]


async def test_entries_that_made_no_sense_are_counted() -> None:
    desk = Desk(MemoryStore(Session(exists=True, corrupt=2)))
    await desk.recalled(user("now"))
    assert desk.counted("corrupt") == 2
