"""How many turns at the same engines are this worker's, when tenants ask at several. Pure.

Each worker finds out by itself how much it may have at the engines, and serves its own tenants in order. That alone
gives a worker's place to whoever connected there: a tenant of weight 3 behind one worker gets no more than one of
weight 1 behind another. So workers tell each other who waits and what each was served, and then:

- what a tenant was served elsewhere counts here too, in the counters that say who is next;
- the turns of all are parted among the tenants by weight, and each worker has those of its own tenants. Turns last, and
  there is no half one, so who is ahead of its share by what was served gets less until it is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from resilience.concurrency import FLOOR, AdaptiveLimit
from resilience.fair_queue import FairQueue

# How far a tenant that is ahead or behind is held back or helped, as a part of its weight.
_STRONGEST_CORRECTION = 4.0

TenantKey = tuple[bool, str]
"""Whether batch, and the tenant."""


class TenantDemand(msgspec.Struct, frozen=True, array_like=True):
    """Of one tenant in one lane, at one worker."""

    batch: bool
    tenant: str
    account: int
    weight: float
    waiting: int
    served: int
    received: float
    """Weighted tokens by its weight, since the account was opened."""

    @property
    def key(self) -> TenantKey:
        return self.batch, self.tenant


class WorkerState(msgspec.Struct, frozen=True, array_like=True):
    limit: int
    """Turns that it may have by its own judgement."""
    turn_tokens: float
    """Weighted, of one turn on average."""
    tenants: list[TenantDemand]
    least_s: dict[str, float]
    """Size of an answer -> what one takes at least, as `AdaptiveLimit.measured` has it."""

    @property
    def waits(self) -> bool:
        return any(demand.waiting for demand in self.tenants)

    @property
    def served(self) -> int:
        return sum(demand.served for demand in self.tenants)


def state_of(queue: FairQueue, adaptive: AdaptiveLimit) -> WorkerState:
    tenants = [
        TenantDemand(batch, one.tenant, one.number, one.weight, len(one.waiting), one.served, one.received)
        for batch in (False, True)
        for one in queue.lane(batch=batch).accounts.values()
        if not one.idle
    ]
    return WorkerState(adaptive.limit, queue.mean_tokens, tenants, adaptive.measured())


class SharedTurns:
    """What one worker makes of the others' states, which it gets again and again."""

    def __init__(self, queue: FairQueue, adaptive: AdaptiveLimit) -> None:
        self._queue = queue
        self._adaptive = adaptive
        # Worker, tenant and account -> what it had received there.
        self._seen: dict[tuple[str, TenantKey, int], float] = {}
        self._seen_here: dict[tuple[TenantKey, int], float] = {}
        self._service = SharedService()

    def part(self, own: WorkerState, others: Mapping[str, WorkerState]) -> float:
        """Of this worker's limit, how much of it (or how many times it) it should use now; 1 where it is alone.

        What others have served is added to the queue's counters, and what they have measured to what the limit knows.
        """
        if others:
            self._adaptive.begin_with(sum(state.limit for state in others.values()) / len(others))
        for state in others.values():
            self._adaptive.learn(state.least_s)
        self._adaptive.others_are_busy = any(state.served > FLOOR for state in others.values())
        served = self._served_elsewhere(others)
        for (batch, tenant), charge in served.items():
            self._queue.lane(batch=batch).served_elsewhere(tenant, charge)
        busy = [state for state in (own, *others.values()) if state.waits]
        leads = self._service.leads(busy, self._received_since(own, served))
        if not own.waits or len(busy) < 2 or own.limit < 1:
            return 1.0
        return _turns_of(own, busy, leads, self._queue.batch_share) / own.limit

    def alone(self) -> None:
        """The others' states cannot be had any more."""
        self._seen.clear()
        self._adaptive.others_are_busy = False

    def _served_elsewhere(self, others: Mapping[str, WorkerState]) -> dict[TenantKey, float]:
        now = {
            (worker, demand.key, demand.account): demand.received
            for worker, state in others.items()
            for demand in state.tenants
        }
        served: dict[TenantKey, float] = {}
        for place, received in now.items():
            # What it had received before this worker knew of it is not for this worker to judge.
            served[place[1]] = served.get(place[1], 0.0) + received - self._seen.get(place, received)
        self._seen = now
        return served

    def _received_since(self, own: WorkerState, elsewhere: Mapping[TenantKey, float]) -> dict[TenantKey, float]:
        received, seen = dict(elsewhere), {}
        for demand in own.tenants:
            account = (demand.key, demand.account)
            seen[account] = demand.received
            here = demand.received - self._seen_here.get(account, demand.received)
            received[demand.key] = received.get(demand.key, 0.0) + here
        self._seen_here = seen
        return received


class SharedService:
    """By how much each tenant is ahead of the others that wait too, wherever it was served."""

    def __init__(self) -> None:
        self._counters: dict[TenantKey, float] = {}

    def leads(self, states: Sequence[WorkerState], received: Mapping[TenantKey, float]) -> dict[TenantKey, float]:
        """Tenant that waits -> weighted tokens by its weight that it is ahead of the mean of its lane."""
        waiting = {demand.key for state in states for demand in state.tenants if demand.waiting}
        for key in waiting & self._counters.keys():
            self._counters[key] += received.get(key, 0.0)
        leads: dict[TenantKey, float] = {}
        counters: dict[TenantKey, float] = {}
        for batch in (False, True):
            known = [counter for key, counter in self._counters.items() if key in waiting and key[0] is batch]
            floor = min(known, default=0.0)
            lane = {key: self._counters.get(key, floor) for key in waiting if key[0] is batch}
            mean = sum(lane.values()) / len(lane) if lane else 0.0
            leads |= {key: counter - mean for key, counter in lane.items()}
            counters |= lane
        self._counters = counters
        return leads


def _turns_of(
    own: WorkerState, busy: Sequence[WorkerState], leads: Mapping[TenantKey, float], batch_share: float
) -> float:
    """Turns at a time, of those of all workers where some wait."""
    turns = float(sum(state.limit for state in busy))
    demands: dict[TenantKey, int] = {}
    weights: dict[TenantKey, float] = {}
    for state in busy:
        for demand in state.tenants:
            demands[demand.key] = demands.get(demand.key, 0) + demand.waiting + demand.served
            weights[demand.key] = demand.weight
    turn_tokens = max(state.turn_tokens for state in busy)
    # What a round of all turns brings a tenant of weight 1: who is ahead by so much is held back by a factor of e.
    # Before anything has ended nobody knows what a turn brings, and nobody is held back.
    round_tokens = max(1.0, turns * turn_tokens / sum(weights.values())) if turn_tokens > 0 else math.inf
    for key, lead in leads.items():
        exponent = min(max(-lead / round_tokens, -math.log(_STRONGEST_CORRECTION)), math.log(_STRONGEST_CORRECTION))
        weights[key] *= math.exp(exponent)
    granted = _parted(turns, demands, weights, batch_share)
    return sum(
        granted[demand.key] * (demand.waiting + demand.served) / demands[demand.key]
        for demand in own.tenants
        if demands[demand.key]
    )


def _parted(
    turns: float, demands: Mapping[TenantKey, int], weights: Mapping[TenantKey, float], batch_share: float
) -> dict[TenantKey, float]:
    lanes = [{key: demand for key, demand in demands.items() if key[0] is batch} for batch in (False, True)]
    kept = sum(filled(batch_share * turns, lanes[1], weights).values())
    interactive = filled(turns - kept, lanes[0], weights)
    return interactive | filled(turns - sum(interactive.values()), lanes[1], weights)


def filled(
    turns: float, demands: Mapping[TenantKey, int], weights: Mapping[TenantKey, float]
) -> dict[TenantKey, float]:
    """Turns parted by weight; nobody gets more than it wants, and what is left over is the others'."""
    granted: dict[TenantKey, float] = {}
    left = turns
    # In the order in which they have enough.
    order: Iterable[TenantKey] = sorted(demands, key=lambda key: demands[key] / weights[key])
    weight_left = sum(weights[key] for key in demands)
    for key in order:
        # Beside a far greater weight that went before, of a small one nothing is left: then it is the last.
        part = min(1.0, weights[key] / weight_left) if weight_left > 0 else 1.0
        granted[key] = min(float(demands[key]), left * part)
        left -= granted[key]
        weight_left -= weights[key]
    return granted
