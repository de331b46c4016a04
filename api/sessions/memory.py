"""Conversations that the platform remembers, as stages of the pipeline."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from api.call import Call
from api.errors import InvalidRequest
from api.recorded_stream import RecordedStream, why_not
from api.sessions.answer import SpokenAnswer
from api.sessions.base import SessionStore, SessionStoreError
from api.sessions.messages import (
    answers_earlier_calls,
    calls_of,
    first_stray_result,
    message_tokens,
    question_in,
    questions_before,
    without_system,
)
from api.sessions.prune import prune_context
from api.sessions.reporting import Reporting
from api.sessions.types import Outcome, Session, SessionState, Turn
from serving.types import Json, Reply, StreamReply, WholeReply

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Recalled:
    """What is to be known again when the engine has answered: the client's messages before anybody added to them."""

    tenant: str
    session_id: str
    generation: int
    system: tuple[Json, ...]
    new: tuple[Json, ...]


class SessionMemory:
    """`Memory`."""

    def __init__(
        self,
        *,
        store: SessionStore,
        context_tokens: int,
        max_bytes: int,
        reporting: Reporting,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`context_tokens`: of a prompt, history included. `max_bytes`: of a session, so of an answer too.

        `now_s`: Unix seconds.
        """
        self._store = store
        self._context_tokens = context_tokens
        self._max_bytes = max_bytes
        self._reporting = reporting
        self._now_s = now_s

    async def recall(self, call: Call) -> None:
        if call.session_id is None:
            return
        began_s = time.perf_counter()
        system, new = without_system(call.body["messages"])
        tenant = call.caller.tenant
        try:
            session = await self._store.read(tenant, call.session_id)
        except SessionStoreError as error:
            self._reporting.away(error)
            session = None
        except Exception:
            # A mistake in here costs the call its history and nothing else.
            logger.exception("a session could not be read")
            session = None
        if session is None:
            call.session_state = SessionState.STATELESS
        else:
            call.session_state = SessionState.CONTINUED if session.turns or session.system else SessionState.NEW
            self._reporting.corrupt(session.corrupt)
            self._put_in_front(call, session, system, new)
            # Copies: what is remembered is what the client has said, whatever later stages put into the prompt.
            said = tuple(map(dict, new))
            call.session = _Recalled(tenant, call.session_id, session.generation, system, said)
            remembered = (turn.question for turn in session.turns)
            call.earlier_questions = tuple(filter(None, (*remembered, *questions_before(new))))
        self._reporting.recalled(call.session_state, time.perf_counter() - began_s)

    async def remember(self, call: Call, reply: Reply) -> None:
        recalled, call.session = call.session, None
        if not isinstance(recalled, _Recalled):
            return
        parts = SpokenAnswer(max_characters=self._max_bytes)
        if isinstance(reply, StreamReply):

            async def keep(message: Json) -> None:
                await self._kept(call, recalled, message)

            reply.frames = RememberedStream(reply.frames, parts, keep, self._reporting.unfit)
        elif isinstance(reply, WholeReply):
            try:
                parts.take(reply.body)
                message = parts.answer()
            except Exception as error:  # noqa: BLE001 - the client gets its answer, whatever an engine writes
                self._reporting.unfit(why_not(error))
                outcome = None
            else:
                outcome = await self._kept(call, recalled, message)
            if outcome is not Outcome.STORED:
                call.session_state = SessionState.NOT_STORED

    def _put_in_front(self, call: Call, session: Session, system: Sequence[Json], new: Sequence[Json]) -> None:
        prompt = system or session.system
        messages = prune_context(
            system=prompt,
            turns=[turn.messages for turn in session.turns],
            last=new,
            budget_tokens=min(self._context_tokens, call.prompt_room),
        )
        history = messages[len(prompt) : len(messages) - len(new)]
        _check_results(new, history, param_offset=len(system))
        added = history if system else [*prompt, *history]
        if not added:
            return
        call.body["messages"] = messages
        call.body_bytes += len(_encode(added))
        tokens = sum(map(message_tokens, added))
        call.prompt_tokens += tokens
        call.reserved_tokens += tokens

    async def _kept(self, call: Call, recalled: _Recalled, message: Json) -> Outcome | None:
        """None where the store could not keep it."""
        question = question_in(recalled.new) if call.standalone is None else call.standalone.text
        turn = Turn(
            messages=(*recalled.new, message),
            question=question,
            at_s=self._now_s(),
            continues=answers_earlier_calls(recalled.new),
        )
        try:
            appended = await self._store.append(
                recalled.tenant, recalled.session_id, turn, generation=recalled.generation, system=recalled.system
            )
        except SessionStoreError as error:
            self._reporting.lost(error)
            return None
        except Exception:
            logger.exception("a turn could not be kept")
            self._reporting.failed()
            return None
        self._reporting.appended(appended)
        return appended.outcome


class RememberedStream:
    """A stream that is kept when it is complete, before whoever reads it hears that it has ended."""

    def __init__(
        self,
        frames: AsyncIterator[list[Json]],
        parts: SpokenAnswer,
        keep: Callable[[Json], Awaitable[None]],
        on_unfit: Callable[[str], None],
    ) -> None:
        self._recorded = RecordedStream(frames, parts, self._note)
        self._keep = keep
        self._on_unfit = on_unfit
        self._message: Json | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Json]:
        try:
            return await anext(self._recorded)
        except StopAsyncIteration:
            message, self._message = self._message, None
            if message is not None:
                await self._keep(message)
            raise

    def _note(self, message: Json | None, reason: str) -> None:
        if message is None:
            self._on_unfit(reason)
        self._message = message


def _check_results(new: Sequence[Json], history: Sequence[Json], *, param_offset: int) -> None:
    """Raises InvalidRequest."""
    place = first_stray_result(new, (call for message in history for call in calls_of(message)))
    if place is not None:
        raise InvalidRequest(
            "A tool's result must answer a call of this session, and this one answers none: the session may have "
            "expired, or the answer with the call was not complete.",
            param=f"messages[{place + param_offset}].tool_call_id",
            code="invalid_value",
        )
