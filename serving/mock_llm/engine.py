"""The engine loop: runs the core's steps in real time and wakes whoever waits for tokens."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from serving.mock_llm.core.sequence import FinishReason, Sequence, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from collections.abc import Sequence as SequenceOf

    from serving.mock_llm.core.scheduler import Outcome, Scheduler
    from serving.mock_llm.metrics import EngineMetrics
    from serving.mock_llm.outputs import OutputPlan

# How far the loop may fall behind its schedule and still catch up; beyond that the lost time is gone. Timers are only
# good to a millisecond, so without catching up a large time scale would run slow.
_MAX_LAG_S = 0.05


class Generation:
    """The sequences of one request, one for each of its `n` choices.

    The reader keeps its own count of what it has seen, so tokens that come while it is busy are merged into one piece
    and nothing queues up, as in vLLM's output collector. `close()` frees what the request still holds.
    """

    def __init__(self, sequences: list[Sequence], *, every_token: bool, abort: Callable[[Sequence], None]) -> None:
        self.sequences = sequences
        self.closed = False
        self.every_token = every_token
        self._abort = abort
        # Choices that share a prompt are billed for it once.
        self._first_of_each_prompt = list({id(one.prompt): one for one in reversed(sequences)}.values())
        self._news = asyncio.Event()

    @property
    def finished(self) -> bool:
        return all(sequence.status is Status.FINISHED for sequence in self.sequences)

    @property
    def completed(self) -> bool:
        """True once every choice has ended by itself, and none by an abort."""
        return all(sequence.finish_reason in (FinishReason.STOP, FinishReason.LENGTH) for sequence in self.sequences)

    @property
    def prompt_tokens(self) -> int:
        return sum(len(sequence.prompt) for sequence in self._first_of_each_prompt)

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens found in the prefix cache."""
        return sum(sequence.cached_tokens or 0 for sequence in self._first_of_each_prompt)

    async def news(self) -> None:
        """Wait for a token (or, if not `every_token`, for the end), or for `close()`."""
        await self._news.wait()
        self._news.clear()

    def notify(self) -> None:
        self._news.set()

    def close(self) -> None:
        """Abort what has not ended and wake the reader. May be called twice."""
        if not self.closed:
            self.closed = True
            for sequence in self.sequences:
                self._abort(sequence)
            self._news.set()


class Engine:
    """`time_scale` divides every duration of the core: 10 is ten times as fast as the modelled machine."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        metrics: EngineMetrics,
        time_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.scheduler = scheduler
        self.metrics = metrics
        self.time_scale = time_scale
        # Faults: how many times slower than modelled, and whether steps are made at all.
        self.slowdown = 1.0
        self._running = asyncio.Event()
        self._running.set()
        self._work = asyncio.Event()
        self._clock = clock
        self._sleep = sleep
        self._owners: dict[Sequence, Generation] = {}

    @property
    def load(self) -> int:
        """Sequences running and waiting."""
        return len(self._owners)

    def hang(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def submit(
        self, prompts: Iterable[SequenceOf[str]], plans: Iterable[OutputPlan], *, every_token: bool
    ) -> Generation:
        """Queue one sequence for each prompt and plan. Raises ValueError if one can never fit."""
        sequences = [
            Sequence(prompt=prompt, output=plan.tokens, ends_with=plan.finish_reason)
            for prompt, plan in zip(prompts, plans, strict=True)
        ]
        generation = Generation(sequences, every_token=every_token, abort=self._abort)
        now = self._clock()
        for sequence in sequences:
            self.scheduler.add(sequence, now)
            self._owners[sequence] = generation
        self.metrics.record_request(len(sequences))
        self._work.set()
        return generation

    async def pause(self, seconds: float) -> None:
        """Wait for work that is not stepped, such as embedding; `seconds` at normal speed."""
        await self._running.wait()
        await self._sleep(seconds * self.slowdown / self.time_scale)

    async def run(self) -> None:
        """Step for ever. Waits without polling when there is nothing to do."""
        due = self._clock()
        while True:
            await self._running.wait()
            step = self.scheduler.begin_step(self._clock())
            if step is None:
                self._work.clear()
                await self._work.wait()
                due = self._clock()
                continue
            due += step.duration_s * self.slowdown / self.time_scale
            await self._sleep(max(0.0, due - self._clock()))
            await self._running.wait()
            now = self._clock()
            outcome = self.scheduler.finish_step(step, now)
            self.metrics.record_step(step, outcome)
            self._wake(outcome)
            due = max(due, now - _MAX_LAG_S)

    def _wake(self, outcome: Outcome) -> None:
        for sequence in outcome.advanced:
            owner = self._owners[sequence]
            if owner.every_token:
                owner.notify()
        for sequence in outcome.finished:
            owner = self._owners.pop(sequence)
            if owner.finished:
                owner.notify()

    def _abort(self, sequence: Sequence) -> None:
        if self.scheduler.abort(sequence, self._clock(), FinishReason.ABORT):
            del self._owners[sequence]
            self.metrics.record_finished(sequence)
