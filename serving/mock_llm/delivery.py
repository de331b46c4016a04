"""Sends what a generation brings to its client: one body, or a stream of events, cut short where a fault says so."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from serving.mock_llm.core.sequence import Status
from serving.mock_llm.faults import StreamEnd
from serving.mock_llm.wire.replies import usage_of

if TYPE_CHECKING:
    from serving.mock_llm.engine import Generation
    from serving.mock_llm.exchange import Exchange
    from serving.mock_llm.faults import Faults, StreamFault
    from serving.mock_llm.wire.replies import ReplyFormat

_encode = msgspec.json.Encoder().encode


class _StreamEnded(Exception):
    """A fault switch ended the stream."""


async def send_body(exchange: Exchange, generation: Generation, reply: ReplyFormat, *, faults: Faults) -> None:
    """Wait for all choices, then send them. A client that goes away aborts them."""
    with exchange.on_disconnect(generation.close):
        try:
            await generation.news()
        finally:
            generation.close()
    if not generation.completed:
        return
    if faults.strike_reply():
        await exchange.reset()
        return
    reasons = [str(sequence.finish_reason) for sequence in generation.sequences]
    await exchange.respond(200, _encode(reply.body(reasons, _usage(generation))))


async def send_events(
    exchange: Exchange, generation: Generation, reply: ReplyFormat, *, usage: UsageReport, fault: StreamFault | None
) -> None:
    """Stream all choices as they come. A client that goes away aborts them."""
    with exchange.on_disconnect(generation.close):
        try:
            await _Events(exchange, generation, reply, fault).send(usage)
        except _StreamEnded:
            return
        finally:
            generation.close()


class UsageReport(Enum):
    """When a stream says what it used."""

    NONE = "none"
    AT_THE_END = "at the end"
    IN_CHUNKS = "in chunks"
    """And at the end."""

    @classmethod
    def of(cls, *, asked: bool, in_chunks: bool) -> UsageReport:
        if not asked:
            return cls.NONE
        return cls.IN_CHUNKS if in_chunks else cls.AT_THE_END


class _Events:
    def __init__(
        self, exchange: Exchange, generation: Generation, reply: ReplyFormat, fault: StreamFault | None
    ) -> None:
        self._exchange = exchange
        self._generation = generation
        self._reply = reply
        self._fault = fault
        self._chunks = 0
        self._usage_in_chunks = False
        # How many tokens of each choice were sent; -1 before its opening chunks.
        self._sent = [-1] * len(generation.sequences)
        self._ended = [False] * len(generation.sequences)

    async def send(self, usage: UsageReport) -> None:
        self._usage_in_chunks = usage is UsageReport.IN_CHUNKS
        await self._strike()
        await self._exchange.start_events()
        while not all(self._ended):
            await self._generation.news()
            if self._generation.closed:
                return
            for index in range(len(self._sent)):
                await self._send_choice(index)
        if usage is not UsageReport.NONE:
            await self._chunk(self._reply.usage_chunk(_usage(self._generation)))
        await self._exchange.event(b"[DONE]")
        await self._exchange.end()

    async def _send_choice(self, index: int) -> None:
        sequence, sent = self._generation.sequences[index], self._sent[index]
        generated, finished = sequence.generated, sequence.status is Status.FINISHED
        if self._ended[index] or (generated <= max(sent, 0) and not finished):
            return
        if sent < 0:
            for opening in self._reply.opening(index):
                await self._chunk(opening)
            sent = 0
        self._sent[index] = generated
        self._ended[index] = finished
        reason = str(sequence.finish_reason) if finished else None
        chunk = self._reply.chunk(index, sent, generated, reason)
        if self._usage_in_chunks:
            chunk["usage"] = _usage(self._generation)
        await self._chunk(chunk)

    async def _chunk(self, chunk: dict[str, Any]) -> None:
        await self._exchange.event(_encode(chunk))
        self._chunks += 1
        await self._strike()

    async def _strike(self) -> None:
        fault = self._fault
        if fault is None or self._chunks < fault.after_chunks:
            return
        match fault.end:
            case StreamEnd.CUT:
                if not self._exchange.started:
                    await self._exchange.start_events()
                await self._exchange.end()
            case StreamEnd.RESET:
                await self._exchange.reset()
            case StreamEnd.STALL:
                if not self._exchange.started:
                    await self._exchange.start_events()
                # Until the client gives up, which cancels nothing by itself: `close` ends the wait.
                while not self._generation.closed:
                    await self._generation.news()
        raise _StreamEnded


def _usage(generation: Generation) -> dict[str, Any]:
    return usage_of(
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=sum(sequence.generated for sequence in generation.sequences),
        cached_tokens=generation.cached_tokens,
    )
