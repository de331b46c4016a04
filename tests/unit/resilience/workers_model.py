"""Several workers before one small engine, in simulated time: who gets how much of it."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from resilience.concurrency import AdaptiveLimit, Answer
from resilience.fair_queue import FairQueue, Ticket, TicketState
from resilience.shared_turns import SharedTurns, state_of
from resilience.token_counters import weighted_tokens

PREFILL_S, STEP_S, EXCHANGE_S = 0.05, 0.02, 0.1


@dataclass(frozen=True)
class Tenant:
    weight: float
    users: tuple[int, ...]
    """At each worker: each asks again as soon as it is answered."""


@dataclass(eq=False)
class Request:
    worker: Worker
    tenant: str
    prompt: int
    output: int
    ticket: Ticket | None = None
    sent_s: float = 0.0
    at_once: int = 0


class Worker:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.adaptive = AdaptiveLimit(initial=64, ceiling=512)
        self.queue = FairQueue(clock=clock, limit=64, max_waiting=10**6, batch_share=0.1)
        self.shared = SharedTurns(self.queue, self.adaptive)
        self.part = 1.0

    def follow_the_limit(self) -> None:
        self.queue.set_limit(max(1, round(self.adaptive.limit * self.part)))


class Workers:
    def __init__(self, tenants: Mapping[str, Tenant], *, workers: int, seats: int, share: bool) -> None:
        self.now_s = 0.0
        self.tokens: defaultdict[str, float] = defaultdict(float)
        self._tenants, self._seats, self._share = tenants, seats, share
        self._workers = [Worker(lambda: self.now_s) for _ in range(workers)]
        self._random = random.Random(0)  # noqa: S311 - repeatable by intent, nothing secret
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._engine: deque[Request] = deque()
        self._running = 0

    def run(self, *, warm_up_s: float, seconds: float) -> dict[str, float]:
        """Each tenant's weighted tokens of those `seconds`, in relation to its part by weight."""
        for name, tenant in self._tenants.items():
            for worker, users in zip(self._workers, tenant.users, strict=True):
                for _ in range(users):
                    self._ask(worker, name)
        if self._share:
            self._after(EXCHANGE_S, self._exchange)
        self._until(warm_up_s)
        self.tokens.clear()
        self._until(warm_up_s + seconds)
        tokens, weights = sum(self.tokens.values()), sum(tenant.weight for tenant in self._tenants.values())
        return {name: self.tokens[name] / tokens / (tenant.weight / weights) for name, tenant in self._tenants.items()}

    def _until(self, end_s: float) -> None:
        while self.now_s < end_s:
            self.now_s, _, happen = heapq.heappop(self._events)
            happen()

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + seconds, next(self._numbers), happen))

    def _ask(self, worker: Worker, tenant: str) -> None:
        request = Request(worker, tenant, self._random.randint(10, 200), self._random.randint(20, 200))
        request.ticket = worker.queue.ask(
            tenant=tenant,
            weight=self._tenants[tenant].weight,
            batch=False,
            prompt_tokens=request.prompt,
            most_output_tokens=1000,
            patience_s=1e9,
            granted=lambda: self._send(request),
        )
        if request.ticket.state is TicketState.SERVED:
            self._send(request)
        else:
            worker.adaptive.waited()

    def _send(self, request: Request) -> None:
        request.sent_s, request.at_once = self.now_s, request.worker.queue.served
        self._engine.append(request)
        self._after(0, self._seat)

    def _seat(self) -> None:
        while self._engine and self._running < self._seats:
            self._running += 1
            request = self._engine.popleft()
            self._after(PREFILL_S, lambda request=request: self._begin(request))  # type: ignore[misc]

    def _begin(self, request: Request) -> None:
        worker = request.worker
        at_once = max(request.at_once, worker.queue.served) * worker.adaptive.limit / worker.queue.limit
        answer = Answer("prompt", self.now_s - request.sent_s)
        worker.adaptive.answered(answer, sent_s=request.sent_s, at_once=round(at_once), now_s=self.now_s)
        worker.follow_the_limit()
        self._after(request.output * STEP_S, lambda: self._end(request))

    def _end(self, request: Request) -> None:
        assert request.ticket is not None
        self._running -= 1
        self.tokens[request.tenant] += weighted_tokens(request.prompt, request.output)
        request.worker.queue.end(request.ticket, computed_prompt_tokens=request.prompt, output_tokens=request.output)
        self._after(0, self._seat)
        self._ask(request.worker, request.tenant)

    def _exchange(self) -> None:
        states = [state_of(worker.queue, worker.adaptive) for worker in self._workers]
        for own, worker in enumerate(self._workers):
            others = {str(place): state for place, state in enumerate(states) if place != own}
            worker.part = worker.shared.part(states[own], others)
            worker.follow_the_limit()
        self._after(EXCHANGE_S, self._exchange)
