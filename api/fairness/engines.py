"""Engines that serve the same models: who waits for them, how much they get at a time, and what that is learnt from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from functools import lru_cache

from api.call import Call
from api.errors import Overloaded
from api.fairness.reporting import Reporting
from api.fairness.types import UNTIMED
from api.tenants.types import Lane
from resilience.concurrency import QUARTERS, AdaptiveLimit, Answer
from resilience.fair_queue import FairQueue, Refusal, Refused, Ticket, TicketState
from serving.errors import BackendError, BackendOverloaded, BackendTimeout
from serving.types import Endpoint, Reply, Usage, WholeReply

# Requests of about the same size are within a factor of four of each other.
_BITS_OF_A_SIZE = 2
_MESSAGES = {
    Refusal.QUEUE_FULL: "too many of your requests wait for the model's engines, try again shortly",
    Refusal.TOO_LATE: "the model's engines are overloaded, and the turn of this request would not come in time",
    Refusal.TIMED_OUT: "the model's engines are overloaded, and the turn of this request did not come in time",
}


class Engines:
    def __init__(
        self,
        *,
        name: str,
        upstreams: Collection[str],
        queue: FairQueue,
        adaptive: AdaptiveLimit,
        reporting: Reporting,
        timeout_s: float,
        longest_call_s: float,
    ) -> None:
        """`name`: the same in all workers. `upstreams`: their names.

        `timeout_s`: how long a call may wait. `longest_call_s`: what it has in all.
        """
        self.name = name
        self.upstreams = frozenset(upstreams)
        self.queue = queue
        self.adaptive = adaptive
        self.reporting = reporting
        self._timeout_s = timeout_s
        self._longest_call_s = longest_call_s
        # Of the limit, how much (or how many times) this worker is to use while tenants wait at others too.
        self._part = 1.0
        reporting.limit(queue.limit)
        self.turns_in_use = reporting.watch_turns(lambda: queue.served)
        self.report_usage = False
        """Whether an answer of theirs has ended with its usage: one that does not was left before its end."""

    def ask(self, call: Call) -> EngineTurn:
        """The call's turn, which has come or is to be waited for. Raises Overloaded."""
        turn = EngineTurn(self, call)
        try:
            turn.ticket = self.queue.ask(
                tenant=call.caller.tenant,
                weight=call.caller.weight,
                batch=call.lane is Lane.BATCH,
                prompt_tokens=call.prompt_tokens,
                most_output_tokens=max(0, call.reserved_tokens - call.prompt_tokens),
                patience_s=self.patience_s(call),
                granted=turn.granted,
            )
        except Refused as refused:
            raise self.overloaded(refused, call.lane) from refused
        if turn.has_come:
            self.turns_in_use.changed()
        return turn

    def patience_s(self, call: Call) -> float:
        """How long the call may wait from now on."""
        return min(self._timeout_s, call.arrived_s + self._longest_call_s - time.monotonic())

    def overloaded(self, refused: Refused, lane: Lane) -> Overloaded:
        self.reporting.refused(lane, refused.reason)
        return Overloaded(_MESSAGES[refused.reason], retry_after_s=refused.retry_after_s)

    def in_proportion(self, turns: int) -> int:
        """As many, of the limit that was found out, as these are of the one that is in force."""
        found, in_force = self.adaptive.limit, self.queue.limit
        return turns if found == in_force else round(turns * (found / in_force))

    def use(self, part: float) -> None:
        """Of the limit, from now on. 1: no worker has tenants that wait but this one."""
        self._part = part
        self.follow_the_limit()

    def follow_the_limit(self) -> None:
        limit = self.adaptive.limit
        if self._part != 1.0:
            limit = min(max(1, round(limit * self._part)), self.adaptive.ceiling)
        if limit != self.queue.limit:
            self.queue.set_limit(limit)
            self.reporting.limit(limit)


class EngineTurn:
    """Of one call, in one event loop. `ticket` is set by who asks the queue for it."""

    __slots__ = ("_asked_s", "_at_once", "_began", "_call", "_engines", "_future", "_timed", "ticket")

    ticket: Ticket

    def __init__(self, engines: Engines, call: Call) -> None:
        self._engines = engines
        self._call = call
        self._future: asyncio.Future[bool] | None = None
        self._asked_s = 0.0
        self._at_once = 0
        # Of a stream: how long that took, and among how many.
        self._began: tuple[Answer, int] | None = None
        # Whether the answer to what an engine was asked has still to be judged.
        self._timed = False

    @property
    def has_come(self) -> bool:
        return self.ticket.state is TicketState.SERVED

    async def wait(self) -> None:
        """Until the turn has come. Raises Overloaded when that takes too long."""
        loop, call, engines = asyncio.get_running_loop(), self._call, self._engines
        self._future = loop.create_future()
        timer = loop.call_later(engines.patience_s(call), self._give_up)
        engines.adaptive.waited()
        began_s = time.monotonic()
        engines.reporting.waiting(call.lane, 1)
        try:
            in_time = await self._future
        finally:
            timer.cancel()
            call.queue_s = time.monotonic() - began_s
            engines.reporting.waiting(call.lane, -1)
            engines.reporting.waited(call.lane, call.queue_s)
        if not in_time:
            late = Refused(Refusal.TIMED_OUT, engines.queue.retry_after_s(self.ticket))
            raise engines.overloaded(late, call.lane)

    def granted(self) -> None:
        self._engines.turns_in_use.changed()
        self._settle(in_time=True)

    def end(self) -> None:
        """Of the turn, or of the waiting for it: it passes on at once."""
        if self._timed:
            self.failed(None)
        self._learn_from_its_beginning()
        if self.has_come:
            self._engines.turns_in_use.changed()
        usage, queue = self._call.billed_usage(), self._engines.queue
        if usage is None:
            queue.end(self.ticket)
        else:
            computed = usage.prompt_tokens - usage.cached_tokens
            # Of a call that was left before its answer came nothing is known about answers.
            written = None if self._call.reply is None else usage.completion_tokens
            queue.end(self.ticket, computed_prompt_tokens=computed, output_tokens=written)
        # Nothing may lead in a circle: all that belongs to a call would be left for the garbage collector.
        self.ticket.granted = _nobody_waits
        self._call.turn = UNTIMED

    def asked(self, upstream: str) -> None:
        # What the engines of another model say, which stands in for the call's, tells nothing of these.
        self._timed = upstream in self._engines.upstreams and self._call.endpoint is not Endpoint.EMBEDDINGS
        self._asked_s = time.monotonic()
        self._at_once = self._engines.queue.served

    def answered(self, reply: Reply) -> None:
        if self._timed and isinstance(reply, WholeReply):
            if reply.usage is not None and (written := reply.usage.completion_tokens):
                now_s = time.monotonic()
                answer = Answer(self._size(written), now_s - self._asked_s, written)
                self._judge(answer, now_s, cached_quarters=_cached_quarters(reply.usage))
            self._timed = False

    def began(self) -> None:
        if self._timed:
            now_s = time.monotonic()
            answer = Answer(self._size(0), now_s - self._asked_s)
            self._began = answer, self._most_at_once()
            self._judge(answer, now_s, cached_quarters=None)
            self._timed = False

    def failed(self, error: BackendError | None) -> None:
        if not self._timed:
            return
        self._timed = False
        now_s, at_once = time.monotonic(), self._most_at_once()
        limit = self._engines.adaptive
        if isinstance(error, BackendOverloaded):
            limit.refused(sent_s=self._asked_s, at_once=at_once, now_s=now_s)
        elif self._call.streams and (error is None or isinstance(error, BackendTimeout)):
            waited = Answer(self._size(0), now_s - self._asked_s)
            limit.unanswered(waited, sent_s=self._asked_s, at_once=at_once, now_s=now_s)
        self._engines.follow_the_limit()

    def _judge(self, answer: Answer, now_s: float, *, cached_quarters: int | None) -> None:
        self._engines.adaptive.answered(
            answer,
            sent_s=self._asked_s,
            at_once=self._most_at_once(),
            now_s=now_s,
            cached_quarters=cached_quarters,
        )
        self._engines.follow_the_limit()

    def _learn_from_its_beginning(self) -> None:
        """Of a stream, whose last event says how much of the prompt was cached."""
        reply = self._call.reply
        if self._began is None or reply is None:
            return
        (answer, at_once), self._began = self._began, None
        is_final = reply.usage is not None and not reply.usage_with_output
        self._engines.report_usage |= is_final
        if is_final or not self._engines.report_usage:
            quarters = 0 if reply.usage is None else _cached_quarters(reply.usage)
            self._engines.adaptive.learnt(answer, at_once=at_once, cached_quarters=quarters)

    def _most_at_once(self) -> int:
        """Turns that there were while the engine had this request, as far as its beginning and its end tell."""
        return self._engines.in_proportion(max(self._at_once, self._engines.queue.served))

    def _size(self, written_tokens: int) -> str:
        """`written_tokens`: 0 of a stream."""
        call = self._call
        return _size_name(
            call.prompt_tokens.bit_length() // _BITS_OF_A_SIZE,
            written_tokens.bit_length() // _BITS_OF_A_SIZE,
            min(call.request.generations, 4),
            call.rag is not None,
        )

    def _give_up(self) -> None:
        if self._future is not None and self._future.done():
            return  # the turn has come just now, and its task, which goes on soon, will have it
        self._engines.queue.end(self.ticket)  # out of the queue now, whenever its task goes on
        self._settle(in_time=False)

    def _settle(self, *, in_time: bool) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(in_time)


# There are some dozens of them, and each answer is of one.
@lru_cache(maxsize=1024)
def _size_name(prompt_size: int, written_size: int, generations: int, grounded: bool) -> str:  # noqa: FBT001 - part of the name
    return f"{prompt_size}-{written_size}-{generations}-{grounded:d}"


def _cached_quarters(usage: Usage) -> int:
    return min(QUARTERS * usage.cached_tokens // max(1, usage.prompt_tokens), QUARTERS - 1)


def _nobody_waits() -> None:
    pass
