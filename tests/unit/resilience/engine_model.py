"""A small model of an engine behind an adaptive limit, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from resilience.concurrency import AdaptiveLimit, Answer


@dataclass(eq=False)
class Request:
    prefill_s: float
    tokens: int
    asked_s: float = 0.0
    started_s: float = 0.0
    at_once: int = 0
    is_cached: bool = False
    began: Answer | None = None


@dataclass
class EngineModel:
    """Works on `seats` requests at a time, in the order in which they come; `step_s` for each token of an answer.

    Of `cached_part` of the requests the prompt is cached, and takes no time. More than `refuses_above` it refuses.
    `noise_s`: what an answer takes longer, at random, on average.
    """

    limit: AdaptiveLimit
    seats: int
    step_s: float = 0.02
    prefill_s: float = 0.05
    streams: bool = True
    noise_s: float = 0.0
    cached_part: float = 0.0
    refuses_above: int | None = None
    others: int = 0
    """Seats that others have, who ask past the limit."""
    seed: int = 0
    now_s: float = 0.0
    done: int = 0
    refused: int = 0
    most_it_can_do: float = 0.0
    """Requests, in the time that it ran."""
    limits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable by intent, nothing secret
        self._events: list[tuple[float, int, str, Request]] = []
        self._numbers = count()
        self._queue: deque[Request] = deque()
        self._running = 0
        self._under_way = 0

    def run(self, *, seconds: float, clients: int, tokens: tuple[int, int] = (20, 200)) -> None:
        """`clients`: how many requests there are at any time, if the limit lets them."""
        until_s = self.now_s + seconds
        one_s = self.prefill_s + self.noise_s + sum(tokens) / 2 * self.step_s
        self.most_it_can_do += seconds * (self.seats - self.others) / one_s
        while self.now_s < until_s:
            self._send(clients, tokens)
            if not self._events:
                self.now_s += 0.01
                continue
            self.now_s, _, what, request = heapq.heappop(self._events)
            if what == "output":
                self._output(request)
            else:
                self._ended(request)
            self._seat()
            self.limits.append(self.limit.limit)

    @property
    def usual_limit(self) -> int:
        """The median of the latter half."""
        latter = sorted(self.limits[len(self.limits) // 2 :])
        return latter[len(latter) // 2]

    @property
    def lowest_limit(self) -> int:
        """Of the latter half."""
        return min(self.limits[len(self.limits) // 2 :])

    def _send(self, clients: int, tokens: tuple[int, int]) -> None:
        if clients > self._under_way >= self.limit.limit:
            self.limit.waited()
        for _ in self._room(clients):
            is_cached = self.cached_part > 0 and self._random.random() < self.cached_part
            prefill_s = 0.0 if is_cached else self.prefill_s
            request = Request(prefill_s, self._random.randint(*tokens), asked_s=self.now_s, is_cached=is_cached)
            request.at_once = self._under_way
            if self.refuses_above is not None and len(self._queue) + self._running >= self.refuses_above:
                self.refused += 1
                self._under_way -= 1
                self.limit.refused(sent_s=self.now_s, at_once=request.at_once, now_s=self.now_s)
                break
            self._queue.append(request)
        self._seat()

    def _room(self, clients: int) -> Iterator[None]:
        while self._under_way < min(clients, self.limit.limit):
            self._under_way += 1
            yield

    def _seat(self) -> None:
        while self._queue and self._running < self.seats - self.others:
            request = self._queue.popleft()
            self._running += 1
            request.started_s = self.now_s
            noise_s = self._random.expovariate(1 / self.noise_s) if self.noise_s else 0.0
            self._plan(self.now_s + request.prefill_s + noise_s, "output", request)

    def _plan(self, at_s: float, what: str, request: Request) -> None:
        heapq.heappush(self._events, (at_s, next(self._numbers), what, request))

    def _output(self, request: Request) -> None:
        if self.streams:
            request.began = Answer("prompt", self.now_s - request.asked_s)
            self._tell(request.began, request, cached_quarters=None)
        self._plan(self.now_s + request.tokens * self.step_s, "end", request)

    def _ended(self, request: Request) -> None:
        self._running -= 1
        self._under_way -= 1
        self.done += 1
        cached_quarters = 3 if request.is_cached else 0
        if request.began is not None:  # only its end says what was cached
            self.limit.learnt(request.began, at_once=request.at_once, cached_quarters=cached_quarters)
        if not self.streams:
            size = str(request.tokens.bit_length() // 2)
            self._tell(
                Answer(size, self.now_s - request.asked_s, request.tokens), request, cached_quarters=cached_quarters
            )

    def _tell(self, answer: Answer, request: Request, *, cached_quarters: int | None) -> None:
        request.at_once = max(request.at_once, self._under_way)
        self.limit.answered(
            answer,
            sent_s=request.asked_s,
            at_once=request.at_once,
            now_s=self.now_s,
            cached_quarters=cached_quarters,
        )
