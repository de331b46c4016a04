"""Which sequences run in the next step, and what the step brings.

The rules are those of vLLM V1 (`vllm/v1/core/sched/scheduler.py`): running sequences first, then waiting ones in the
order of arrival; a token budget per step, so that a long prompt is prefilled in chunks beside running decodes; when
blocks run out the youngest running sequence is preempted, loses its blocks and is computed again later.

Static batching, for comparison, fills a batch only when the one before it has ended, and a finished sequence keeps
costing its place until then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from serving.mock_llm.core.blocks import Block, BlockPool
from serving.mock_llm.core.sequence import FinishReason, Sequence, Status
from serving.mock_llm.core.timing import BLOCK_SIZE, NUM_GPU_BLOCKS, CostModel


class Batching(StrEnum):
    CONTINUOUS = "continuous"
    STATIC = "static"


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Names and defaults as vLLM has them. Raises ValueError when the settings contradict each other."""

    max_model_len: int = 8192
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    num_gpu_blocks: int = NUM_GPU_BLOCKS
    block_size: int = BLOCK_SIZE
    prefix_caching: bool = True
    batching: Batching = Batching.CONTINUOUS

    def __post_init__(self) -> None:
        for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens", "num_gpu_blocks", "block_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.num_gpu_blocks * self.block_size < self.max_model_len:
            raise ValueError(
                f"max_model_len {self.max_model_len} does not fit into the KV cache of num_gpu_blocks "
                f"{self.num_gpu_blocks} x block_size {self.block_size} = {self.num_gpu_blocks * self.block_size} tokens"
            )


@dataclass(slots=True)
class Step:
    """What the engine computes now: tokens per sequence, and how long it takes at normal speed."""

    work: list[tuple[Sequence, int]] = field(default_factory=list)
    new_tokens: int = 0
    context_tokens: int = 0
    preempted: int = 0
    # Tokens looked up in and found by the prefix cache, for sequences that ran for the first time.
    cache_queries: int = 0
    cache_hits: int = 0
    duration_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What a step brought. `advanced` got one token each, `gaps_s` are their times since the token before.

    `prefilled` have their whole prompt computed for the first time, `started` got their first token.
    """

    prefilled: list[Sequence] = field(default_factory=list)
    advanced: list[Sequence] = field(default_factory=list)
    started: list[Sequence] = field(default_factory=list)
    finished: list[Sequence] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)


class Scheduler:
    def __init__(self, *, config: EngineConfig, costs: CostModel) -> None:
        self.config = config
        self.pool = BlockPool(
            num_blocks=config.num_gpu_blocks, block_size=config.block_size, prefix_caching=config.prefix_caching
        )
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._costs = costs
        # Static batching only: places of the open batch still to fill, and places of sequences that ended early.
        self._open_places = 0
        self._idle_places = 0

    def add(self, sequence: Sequence, now: float) -> None:
        """Queue a sequence. Raises ValueError if it can never fit."""
        total = len(sequence.prompt) + len(sequence.output)
        if not sequence.prompt or total > self.config.max_model_len:
            raise ValueError(f"a sequence has 1 to {self.config.max_model_len} tokens, this one {total}")
        sequence.arrived_s = now
        self.waiting.append(sequence)

    def abort(self, sequence: Sequence, now: float, reason: FinishReason = FinishReason.ABORT) -> bool:
        """Take a sequence out at once and free its blocks. False if it had already ended."""
        if sequence.status is Status.FINISHED:
            return False
        queue = self.waiting if sequence.status is Status.WAITING else self.running
        queue.remove(sequence)
        self._finish(sequence, reason, now)
        return True

    def begin_step(self, now: float) -> Step | None:
        """Choose the work of the next step; None when there is nothing to do."""
        step = Step()
        budget = self._schedule_running(step, self.config.max_num_batched_tokens)
        if not step.preempted:
            self._schedule_waiting(step, budget, now)
        if not step.work:
            return None
        places = len(step.work) + self._idle_places
        step.duration_s = self._costs.step_s(
            new_tokens=step.new_tokens + self._idle_places, context_tokens=step.context_tokens, sequences=places
        )
        return step

    def finish_step(self, step: Step, now: float) -> Outcome:
        """Book what `step` computed. A sequence aborted meanwhile gets nothing."""
        outcome = Outcome()
        for sequence, count in step.work:
            if sequence.status is not Status.RUNNING:
                continue
            sequence.computed += count
            if sequence.computed == sequence.length:
                self._advance(sequence, outcome, now)
        if outcome.finished:
            self.running = [sequence for sequence in self.running if sequence.status is Status.RUNNING]
        return outcome

    def _schedule_running(self, step: Step, budget: int) -> int:
        index = 0
        while index < len(self.running) and budget > 0:
            sequence = self.running[index]
            count = min(sequence.length - sequence.computed, budget)
            while not self._grow(sequence, sequence.computed + count):
                victim = self.running.pop()
                self._preempt(victim)
                step.preempted += 1
                if victim is sequence:
                    return budget
            self._include(step, sequence, count)
            budget -= count
            index += 1
        return budget

    def _schedule_waiting(self, step: Step, budget: int, now: float) -> None:
        if self.config.batching is Batching.STATIC and not self.running:
            self._open_places = min(len(self.waiting), self.config.max_num_seqs)
            self._idle_places = 0
        while self.waiting and budget > 0 and self._has_place():
            sequence = self.waiting[0]
            self._hash_known_blocks(sequence)
            # The last token is always computed, for its result is the next token.
            cached = self.pool.longest_prefix(sequence.block_hashes[: (sequence.length - 1) // self.config.block_size])
            computed = len(cached) * self.config.block_size
            count = min(sequence.length - computed, budget)
            if not self._admit(sequence, cached, computed + count):
                return
            self.waiting.popleft()
            self._start(sequence, step, computed, now)
            self._include(step, sequence, count)
            budget -= count

    def _has_place(self) -> bool:
        if self.config.batching is Batching.STATIC:
            return self._open_places > 0
        return len(self.running) < self.config.max_num_seqs

    def _admit(self, sequence: Sequence, cached: list[Block], target: int) -> bool:
        new_blocks = -(-target // self.config.block_size) - len(cached)
        if new_blocks > self.pool.num_free - self.pool.num_unreferenced(cached):
            return False
        self.pool.reference(cached)
        sequence.blocks = [*cached, *self.pool.allocate(new_blocks)]
        self._remember_full_blocks(sequence, len(cached), target)
        return True

    def _start(self, sequence: Sequence, step: Step, computed: int, now: float) -> None:
        sequence.status = Status.RUNNING
        sequence.computed = computed
        if sequence.cached_tokens is None:
            sequence.cached_tokens = computed
            sequence.scheduled_s = now
            step.cache_queries += sequence.length
            step.cache_hits += computed
        self._open_places -= 1
        self.running.append(sequence)

    def _include(self, step: Step, sequence: Sequence, count: int) -> None:
        step.work.append((sequence, count))
        step.new_tokens += count
        step.context_tokens += sequence.computed

    def _grow(self, sequence: Sequence, target: int) -> bool:
        """Make room for `target` tokens; False when too few blocks are free."""
        held = len(sequence.blocks)
        missing = -(-target // self.config.block_size) - held
        if missing > self.pool.num_free:
            return False
        if missing > 0:
            sequence.blocks += self.pool.allocate(missing)
        if target // self.config.block_size > sequence.computed // self.config.block_size:
            self._hash_known_blocks(sequence)
            self._remember_full_blocks(sequence, sequence.computed // self.config.block_size, target)
        return True

    def _hash_known_blocks(self, sequence: Sequence) -> None:
        start = len(sequence.block_hashes) * self.config.block_size
        tokens = sequence.tokens(start, sequence.length)
        parent = sequence.block_hashes[-1] if sequence.block_hashes else None
        sequence.block_hashes += self.pool.chain_hashes(tokens, parent=parent)

    def _remember_full_blocks(self, sequence: Sequence, first: int, target: int) -> None:
        for index in range(first, target // self.config.block_size):
            self.pool.remember(sequence.blocks[index], sequence.block_hashes[index])

    def _preempt(self, sequence: Sequence) -> None:
        self._release(sequence)
        sequence.status = Status.WAITING
        sequence.computed = 0
        sequence.preemptions += 1
        self._open_places += 1
        self.waiting.appendleft(sequence)

    def _advance(self, sequence: Sequence, outcome: Outcome, now: float) -> None:
        if sequence.generated == 0:
            outcome.prefilled.append(sequence)
        if sequence.output:
            if sequence.last_token_s is None:
                sequence.first_token_s = now
                outcome.started.append(sequence)
            else:
                outcome.gaps_s.append(now - sequence.last_token_s)
            sequence.generated += 1
            sequence.last_token_s = now
            outcome.advanced.append(sequence)
        if sequence.generated == len(sequence.output):
            self._finish(sequence, sequence.ends_with, now)
            outcome.finished.append(sequence)
            self._idle_places += self.config.batching is Batching.STATIC

    def _finish(self, sequence: Sequence, reason: FinishReason, now: float) -> None:
        sequence.status = Status.FINISHED
        sequence.finish_reason = reason
        sequence.finished_s = now
        self._release(sequence)

    def _release(self, sequence: Sequence) -> None:
        self.pool.release(sequence.blocks)
        sequence.blocks = []
