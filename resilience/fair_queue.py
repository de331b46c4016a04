"""Whose request goes to an engine next, while there are more than it can do. Pure; the clock is injected.

Two lanes, each with the Virtual Token Counter of its tenants (`token_counters`). Interactive requests go first; while
batch requests wait they get a share of the tokens nevertheless. A request that by the present rate cannot have its turn
in time is refused when it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from resilience.service_rate import ServiceRate
from resilience.token_counters import Account, Ticket, TicketState, TokenCounters, weighted_tokens

__all__ = ["FairQueue", "Refusal", "Refused", "Ticket", "TicketState"]

# Of the limit, so large a part may be beyond it.
_BEYOND_PART = 4
_SHORTEST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0


class Refusal(StrEnum):
    QUEUE_FULL = "queue_full"
    TOO_LATE = "too_late"
    """It could not begin in time."""
    TIMED_OUT = "timed_out"
    """It did not begin in time."""


class Refused(Exception):
    """A request gets no turn; in `retry_after_s` seconds it may."""

    def __init__(self, reason: Refusal, retry_after_s: float) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_s = min(max(retry_after_s, _SHORTEST_RETRY_S), _LONGEST_RETRY_S)


class FairQueue:
    def __init__(self, *, clock: Callable[[], float], limit: int, max_waiting: int, batch_share: float) -> None:
        """`limit`: turns at a time. `max_waiting`: requests of one tenant in one lane.

        `batch_share`: of the tokens, below 1.
        """
        self._clock = clock
        self._limit = limit
        self._max_waiting = max_waiting
        self._batch_share = batch_share
        self._interactive, self._batch = TokenCounters(), TokenCounters()
        self._rate = ServiceRate()
        # Turns beyond the limit that have not been paid back.
        self._beyond = 0
        # What the waiting batch lane is owed of what interactive requests got, and in which time of its waiting.
        self._owed_tokens = 0.0
        self._owed_in = 0

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def served(self) -> int:
        """Turns under way; a few may be beyond the limit."""
        return self._rate.served

    @property
    def waiting(self) -> int:
        return self._interactive.waiting_requests + self._batch.waiting_requests

    @property
    def mean_tokens(self) -> float:
        """Weighted, of a turn; 0 as long as none has ended."""
        return self._rate.mean_tokens

    @property
    def batch_share(self) -> float:
        return self._batch_share

    def lane(self, *, batch: bool) -> TokenCounters:
        return self._batch if batch else self._interactive

    def set_limit(self, limit: int) -> None:
        """Turns under way stay; where there is room now, those who wait have it."""
        self._limit = max(1, limit)
        self._hand_on()

    def ask(
        self,
        *,
        tenant: str,
        weight: float,
        batch: bool,
        prompt_tokens: int,
        most_output_tokens: int,
        patience_s: float,
        granted: Callable[[], None],
    ) -> Ticket:
        """A ticket that is served already, or one that waits and whose `granted` is called when its turn has come.

        `patience_s`: how long the request may wait. Raises Refused.
        """
        now_s = self._clock()
        lane = self._batch if batch else self._interactive
        account = lane.account(tenant, weight)
        tokens = weighted_tokens(prompt_tokens, min(account.mean_output, most_output_tokens))
        ticket = Ticket(account, batch, tokens, now_s, granted)
        if not account.waiting:
            lane.lift(account)
        if self._has_room(ticket):
            self._start(ticket, now_s)
            return ticket
        self._refuse_the_hopeless(account, lane, patience_s, now_s)
        if batch and not lane.waiting:
            self._owed_tokens, self._owed_in = 0.0, self._owed_in + 1
        lane.join(ticket)
        return ticket

    def end(self, ticket: Ticket, *, computed_prompt_tokens: int = 0, output_tokens: int | None = None) -> None:
        """Of a turn, or of the waiting for one; the turn passes on. A second time does nothing.

        `output_tokens`: None where the engine has produced nothing.
        """
        lane = self._batch if ticket.batch else self._interactive
        if ticket.state is TicketState.WAITING:
            lane.leave(ticket)
            ticket.state = TicketState.ENDED
        elif ticket.state is TicketState.SERVED:
            ticket.state = TicketState.ENDED
            tokens = weighted_tokens(computed_prompt_tokens, output_tokens or 0)
            self._owe(ticket, tokens - ticket.tokens)
            self._rate.ended(ticket.started_s, self._clock(), tokens)
            self._beyond = max(0, self._beyond - 1) if self._rate.served >= self._limit else 0
            lane.end(ticket, tokens, output_tokens)
            self._hand_on()

    def retry_after_s(self, ticket: Ticket) -> float:
        """When one who gave up waiting may try again: as long as all that waits now takes."""
        lane = self._batch if ticket.batch else self._interactive
        return self._rate.seconds_for(lane.waiting_tokens, self._clock()) or _SHORTEST_RETRY_S

    def _has_room(self, ticket: Ticket) -> bool:
        account = ticket.account
        if self._rate.served < self._limit:
            return not self._interactive.waiting and not self._batch.waiting
        # What it was charged in advance, for turns that it still has, is not held against it.
        counter = account.counter - account.served * ticket.tokens / account.weight
        is_next = not account.waiting and counter <= self._interactive.floor()
        return is_next and self._may_go_beyond(account, batch=ticket.batch)

    def _may_go_beyond(self, account: Account, *, batch: bool) -> bool:
        """A tenant whose turn is next and that has far less turns than its part need not wait until one here ends.

        At the engines some turn ends sooner than at this worker, which has a few of them or has to give some up. Each
        turn beyond the limit is paid back by one that ends and is not handed on.
        """
        if batch or self._beyond >= self._limit // _BEYOND_PART:
            return False
        weights = sum(other.weight for other in self._interactive.waiting if other is not account) + account.weight
        return not account.served or 2 * account.served * weights <= self._limit * account.weight

    def _start(self, ticket: Ticket, now_s: float) -> None:
        ticket.state, ticket.started_s = TicketState.SERVED, now_s
        if self._rate.served >= self._limit:
            self._beyond += 1
        if (self._interactive if ticket.batch else self._batch).waiting:  # one lane goes before the other
            ticket.owed_in = self._owed_in
            self._owe(ticket, ticket.tokens)
        self._rate.began(now_s)
        (self._batch if ticket.batch else self._interactive).start(ticket)

    def _owe(self, ticket: Ticket, tokens: float) -> None:
        """What the batch lane is owed for this, or has got by it."""
        if ticket.owed_in != self._owed_in:
            return
        share = self._batch_share
        self._owed_tokens += -tokens if ticket.batch else tokens * share / (1 - share)

    def _hand_on(self) -> None:
        while (ticket := self._next()) is not None:
            if self._rate.served >= self._limit and not self._may_go_beyond(ticket.account, batch=ticket.batch):
                return
            (self._batch if ticket.batch else self._interactive).leave(ticket)
            self._start(ticket, self._clock())
            ticket.granted()

    def _next(self) -> Ticket | None:
        if not self._interactive.waiting:
            # Nobody is kept waiting by it, so it does not count as part of the share.
            self._owed_tokens, self._owed_in = 0.0, self._owed_in + 1
            return self._batch.next()
        if self._batch.waiting and self._owed_tokens > 0:
            return self._batch.next()
        return self._interactive.next()

    def _refuse_the_hopeless(self, account: Account, lane: TokenCounters, patience_s: float, now_s: float) -> None:
        wait_s = self._rate.seconds_for(self._tokens_ahead(account, lane), now_s)
        if len(account.waiting) >= self._max_waiting:
            raise Refused(Refusal.QUEUE_FULL, wait_s or _SHORTEST_RETRY_S)
        if patience_s <= 0 or (wait_s is not None and wait_s > patience_s):
            raise Refused(Refusal.TOO_LATE, (wait_s or 0.0) - patience_s)

    def _tokens_ahead(self, account: Account, lane: TokenCounters) -> float:
        """Weighted tokens that are served before one that joins now, if nobody else comes."""
        begins_at = account.counter if account.waiting else max(account.counter, lane.floor())
        begins_at += account.waiting_tokens / account.weight
        ahead = account.waiting_tokens
        for other in lane.waiting:
            if other is not account:
                ahead += min(other.waiting_tokens, max(0.0, (begins_at - other.counter) * other.weight))
        share = self._batch_share
        if lane is self._batch:
            return min(ahead / share, ahead + self._interactive.waiting_tokens)
        return ahead + min(self._batch.waiting_tokens, ahead * share / (1 - share))
