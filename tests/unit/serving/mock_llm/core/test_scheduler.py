"""The scheduler as a whole, driven step by step on a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.mock_llm.core.scheduler import Batching, EngineConfig, Scheduler
from serving.mock_llm.core.sequence import FinishReason, Sequence, Status
from serving.mock_llm.core.timing import CostModel

COSTS = CostModel()


def words(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(count))


def sequence(prompt: int, output: int, *, prefix: str = "w") -> Sequence:
    return Sequence(prompt=words(prefix, prompt), output=words(f"out-{prefix}", output))


@dataclass
class Run:
    """Drives a scheduler until it is idle and keeps what happened."""

    scheduler: Scheduler
    now: float = 0.0
    steps: int = 0
    preempted: int = 0
    new_tokens: list[int] = field(default_factory=list)
    started: list[Sequence] = field(default_factory=list)

    def step(self) -> bool:
        step = self.scheduler.begin_step(self.now)
        if step is None:
            return False
        assert step.duration_s > 0
        assert 0 < step.new_tokens <= self.scheduler.config.max_num_batched_tokens
        check_blocks(self.scheduler)
        self.now += step.duration_s
        self.started += self.scheduler.finish_step(step, self.now).started
        self.steps += 1
        self.preempted += step.preempted
        self.new_tokens.append(step.new_tokens)
        check_blocks(self.scheduler)
        return True

    def to_the_end(self) -> None:
        while self.step():
            assert self.steps < 100_000, "the engine makes no progress"


def check_blocks(scheduler: Scheduler) -> None:
    """No block is lost, shared by mistake, or held by someone who is not running."""
    pool, config = scheduler.pool, scheduler.config
    references: dict[int, int] = {}
    for one in scheduler.running:
        assert len(one.blocks) * config.block_size >= one.computed
        for block in one.blocks:
            references[block.block_id] = references.get(block.block_id, 0) + 1
            assert block.references > 0
    assert all(not one.blocks for one in scheduler.waiting)
    assert len(references) + pool.num_free == pool.num_blocks
    assert sum(references.values()) == sum(
        block.references
        for block in {block.block_id: block for one in scheduler.running for block in one.blocks}.values()
    )
    assert 0.0 <= pool.usage <= 1.0
    if config.batching is Batching.CONTINUOUS:
        assert len(scheduler.running) <= config.max_num_seqs


@st.composite
def workloads(draw: st.DrawFn) -> tuple[EngineConfig, list[tuple[int, int, str]], list[int]]:
    max_model_len = draw(st.integers(8, 96))
    config = EngineConfig(
        max_model_len=max_model_len,
        max_num_seqs=draw(st.integers(1, 6)),
        max_num_batched_tokens=draw(st.integers(1, 64)),
        block_size=4,
        num_gpu_blocks=-(-max_model_len // 4) + draw(st.integers(0, 10)),
        prefix_caching=draw(st.booleans()),
        batching=draw(st.sampled_from(Batching)),
    )
    sizes = draw(
        st.lists(
            st.integers(1, max_model_len).flatmap(
                lambda prompt: st.tuples(
                    st.just(prompt), st.integers(0, max_model_len - prompt), st.sampled_from(["a", "b"])
                )
            ),
            min_size=1,
            max_size=12,
        )
    )
    aborted = draw(st.lists(st.integers(0, len(sizes) - 1), max_size=3, unique=True))
    return config, sizes, aborted


@settings(max_examples=150, deadline=None)
@given(workloads())
def test_every_sequence_ends_and_no_block_is_lost(
    workload: tuple[EngineConfig, list[tuple[int, int, str]], list[int]],
) -> None:
    config, sizes, aborted = workload
    scheduler = Scheduler(config=config, costs=COSTS)
    run = Run(scheduler)
    sequences = [sequence(prompt, output, prefix=prefix) for prompt, output, prefix in sizes]
    for one in sequences:
        scheduler.add(one, run.now)
    for index in aborted:
        run.step()
        scheduler.abort(sequences[index], run.now)
        check_blocks(scheduler)
    run.to_the_end()
    assert all(one.status is Status.FINISHED for one in sequences)
    for index, one in enumerate(sequences):
        if one.finish_reason is FinishReason.ABORT:
            assert index in aborted
        else:
            assert one.generated == len(one.output)
    assert scheduler.pool.num_free == config.num_gpu_blocks
    assert scheduler.pool.usage == 0.0
    assert not scheduler.running
    assert not scheduler.waiting


@settings(max_examples=100, deadline=None)
@given(workloads())
def test_first_come_is_first_served(workload: tuple[EngineConfig, list[tuple[int, int, str]], list[int]]) -> None:
    config, sizes, _ = workload
    scheduler = Scheduler(config=config, costs=COSTS)
    sequences = [sequence(prompt, output, prefix=prefix) for prompt, output, prefix in sizes]
    for one in sequences:
        scheduler.add(one, 0.0)
    Run(scheduler).to_the_end()
    scheduled = [one.scheduled_s for one in sequences]
    assert None not in scheduled
    assert scheduled == sorted(scheduled, key=lambda at: at or 0.0)


def test_a_cached_prefix_shortens_prefill() -> None:
    scheduler = Scheduler(config=EngineConfig(), costs=COSTS)
    run = Run(scheduler)
    cold, warm = sequence(1605, 1), sequence(1605, 1)
    scheduler.add(cold, run.now)
    run.to_the_end()
    began = run.now
    scheduler.add(warm, run.now)
    run.to_the_end()
    assert cold.cached_tokens == 0
    assert warm.cached_tokens == 1600
    assert run.new_tokens == [1605, 5]
    assert cold.first_token_s is not None
    assert run.now - began < cold.first_token_s / 5


def test_the_last_token_of_a_fully_cached_prompt_is_computed() -> None:
    scheduler = Scheduler(config=EngineConfig(), costs=COSTS)
    run = Run(scheduler)
    for _ in range(2):
        scheduler.add(one := sequence(64, 1), run.now)
        run.to_the_end()
    assert one.cached_tokens == 48


def test_a_second_turn_finds_the_first_answer_in_the_cache() -> None:
    scheduler = Scheduler(config=EngineConfig(), costs=COSTS)
    run = Run(scheduler)
    first = sequence(30, 40)
    scheduler.add(first, run.now)
    run.to_the_end()
    second = Sequence(prompt=(*first.prompt, *first.output, "and", "then"), output=("x",))
    scheduler.add(second, run.now)
    run.to_the_end()
    # 30 + 40 tokens, the last of which was sampled and never computed: 69 // 16 full blocks.
    assert second.cached_tokens == 64


def test_different_beginnings_share_nothing() -> None:
    scheduler = Scheduler(config=EngineConfig(), costs=COSTS)
    run = Run(scheduler)
    scheduler.add(sequence(64, 1, prefix="a"), run.now)
    run.to_the_end()
    other = Sequence(prompt=("different", *words("a", 64)[1:]), output=("x",))
    scheduler.add(other, run.now)
    run.to_the_end()
    assert other.cached_tokens == 0


def test_without_prefix_caching_nothing_is_found() -> None:
    scheduler = Scheduler(config=EngineConfig(prefix_caching=False), costs=COSTS)
    run = Run(scheduler)
    for _ in range(2):
        scheduler.add(one := sequence(64, 1), run.now)
        run.to_the_end()
    assert one.cached_tokens == 0


def test_the_least_recently_used_prefix_is_evicted_first() -> None:
    config = EngineConfig(max_model_len=32, num_gpu_blocks=4, block_size=16)
    scheduler = Scheduler(config=config, costs=COSTS)
    run = Run(scheduler)

    def cached(prefix: str) -> int | None:
        scheduler.add(one := sequence(31, 1, prefix=prefix), run.now)
        run.to_the_end()
        return one.cached_tokens

    assert [cached(prefix) for prefix in ("a", "b", "a")] == [0, 0, 16]
    assert cached("c") == 0
    assert cached("a") == 16
    assert cached("b") == 0


def test_a_preempted_sequence_resumes_and_loses_nothing() -> None:
    config = EngineConfig(max_model_len=64, num_gpu_blocks=4, block_size=16, prefix_caching=False)
    scheduler = Scheduler(config=config, costs=COSTS)
    run = Run(scheduler)
    older, younger = sequence(30, 30, prefix="a"), sequence(30, 30, prefix="b")
    for one in (older, younger):
        scheduler.add(one, run.now)
    run.to_the_end()
    assert run.preempted >= 1
    assert (older.preemptions, younger.preemptions > 0) == (0, True)
    assert (older.generated, younger.generated) == (30, 30)
    assert younger.finish_reason is FinishReason.STOP
    assert (older.finished_s or 0.0) < (younger.finished_s or 0.0)


def test_a_long_prompt_is_prefilled_beside_running_decodes() -> None:
    config = EngineConfig(max_num_batched_tokens=256)
    scheduler = Scheduler(config=config, costs=COSTS)
    run = Run(scheduler)
    decoding = sequence(10, 20, prefix="a")
    scheduler.add(decoding, run.now)
    run.step()
    scheduler.add(sequence(1000, 1, prefix="b"), run.now)
    generated = decoding.generated
    for _ in range(4):
        run.step()
    assert run.new_tokens[1:] == [256, 256, 256, 236]
    assert decoding.generated == generated + 4


def load_of(batching: Batching) -> tuple[float, float]:
    """Seconds until all is done, and mean seconds to the first token, of 40 sequences of very different length."""
    scheduler = Scheduler(config=EngineConfig(max_num_seqs=8, batching=batching), costs=COSTS)
    run = Run(scheduler)
    sequences = [sequence(50, 10 if number % 4 else 200, prefix=str(number)) for number in range(40)]
    for one in sequences:
        scheduler.add(one, run.now)
    run.to_the_end()
    return run.now, sum(one.first_token_s or 0.0 for one in sequences) / len(sequences)


def test_continuous_batching_beats_static_batching() -> None:
    # 40 sequences at once, 8 places, one answer in four is 20 times as long as the others: static batches wait for it.
    continuous_s, continuous_first_s = load_of(Batching.CONTINUOUS)
    static_s, static_first_s = load_of(Batching.STATIC)
    assert continuous_s < 0.75 * static_s
    assert continuous_first_s < 0.6 * static_first_s


def test_a_static_batch_takes_nobody_in_until_it_has_ended() -> None:
    scheduler = Scheduler(config=EngineConfig(max_num_seqs=4, batching=Batching.STATIC), costs=COSTS)
    run = Run(scheduler)
    short, long, late = sequence(20, 2), sequence(20, 30), sequence(20, 1)
    for one in (short, long):
        scheduler.add(one, run.now)
    run.step()
    scheduler.add(late, run.now)
    run.to_the_end()
    assert late.scheduled_s is not None
    assert long.finished_s is not None
    assert late.scheduled_s >= long.finished_s
    assert (short.finished_s or 0.0) < long.finished_s


def test_a_finished_sequence_keeps_costing_its_place_in_a_static_batch() -> None:
    def total(outputs: tuple[int, int]) -> float:
        scheduler = Scheduler(config=EngineConfig(batching=Batching.STATIC), costs=CostModel(kv_read_s_per_token=0.0))
        for output in outputs:
            scheduler.add(sequence(20, output), 0.0)
        run = Run(scheduler)
        run.to_the_end()
        return run.now

    assert total((2, 30)) == pytest.approx(total((30, 30)))
