"""The thread behind an embedder, with a computation that tests hold up, break and look into."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.batch_runner import BatchRunner
from serving.embedders.batching import BatchLimits

LONG_S = 30.0


class Model:
    """Vectors are the texts' own bytes."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.failure: Exception | None = None
        self.lost = 0

    def compute(self, texts: Sequence[str]) -> list[bytes]:
        self.batches.append(list(texts))
        self.threads.add(threading.get_ident())
        assert self.may_go_on.wait(LONG_S)
        if self.failure is not None:
            raise self.failure
        return [text.encode() for text in texts][self.lost :]

    async def has_begun(self, batches: int) -> None:
        async with asyncio.timeout(LONG_S):
            while len(self.batches) < batches:  # noqa: ASYNC110 - another thread's list
                await asyncio.sleep(0.001)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def runner(model: Model) -> AsyncIterator[BatchRunner]:
    made = BatchRunner(
        name="letters", limits=BatchLimits(texts=4, chars=100), bulk_limits=BatchLimits(texts=2, chars=100)
    )
    assert await made.load(lambda: (model.compute, "loaded")) == "loaded"
    yield made
    model.may_go_on.set()
    await made.aclose()


def ask(runner: BatchRunner, *texts: str, bulk: bool = False, timeout_s: float = LONG_S) -> asyncio.Task[list[bytes]]:
    return asyncio.create_task(runner.run(texts, timeout_s=timeout_s, bulk=bulk))


async def test_vectors_come_in_the_order_of_the_texts(runner: BatchRunner, model: Model) -> None:
    texts = [str(number) for number in range(11)]
    assert await ask(runner, *texts) == [text.encode() for text in texts]
    assert [len(batch) for batch in model.batches] == [4, 4, 3]


async def test_no_texts_need_no_model(runner: BatchRunner, model: Model) -> None:
    assert await ask(runner) == []
    assert model.batches == []


async def test_it_runs_beside_the_event_loop_in_one_thread(runner: BatchRunner, model: Model) -> None:
    await asyncio.gather(*(ask(runner, str(number)) for number in range(20)))
    assert len(model.threads) == 1
    assert model.threads != {threading.get_ident()}


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
async def test_a_thread_that_gives_way_does_so_alone() -> None:
    limits = BatchLimits(texts=4, chars=100)
    runner = BatchRunner(name="letters", limits=limits, bulk_limits=limits, gives_way=True)
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def compute(texts: Sequence[str]) -> list[bytes]:
        niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return [str(niceness).encode() for _ in texts]

    await runner.load(lambda: (compute, None))
    assert int((await ask(runner, "a"))[0]) == min(19, mine + 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
    await runner.aclose()


async def test_what_comes_while_a_batch_runs_goes_together(runner: BatchRunner, model: Model) -> None:
    model.may_go_on.clear()
    first = ask(runner, "first")
    await model.has_begun(1)
    others = [ask(runner, name) for name in ("b", "c", "d")]
    await asyncio.sleep(0)
    model.may_go_on.set()
    assert await asyncio.gather(first, *others) == [[b"first"], [b"b"], [b"c"], [b"d"]]
    assert model.batches == [["first"], ["b", "c", "d"]]


async def test_several_threads_share_the_texts_of_one_call(model: Model) -> None:
    limits = BatchLimits(texts=2, chars=100)
    runner = BatchRunner(name="letters", limits=limits, bulk_limits=limits, threads=3)
    await runner.load(lambda: (model.compute, None))
    model.may_go_on.clear()
    call = ask(runner, *"abcdefghij")
    await model.has_begun(3)
    await asyncio.sleep(0.02)
    assert sorted(model.batches) == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert len(model.threads) == 3
    model.may_go_on.set()
    assert await call == [letter.encode() for letter in "abcdefghij"]
    assert await ask(runner, "next") == [b"next"]
    await runner.aclose()


async def test_closing_waits_for_what_runs_in_any_thread(model: Model) -> None:
    limits = BatchLimits(texts=1, chars=100)
    runner = BatchRunner(name="letters", limits=limits, bulk_limits=limits, threads=2)
    await runner.load(lambda: (model.compute, None))
    model.may_go_on.clear()
    calls = [ask(runner, letter) for letter in "abc"]
    await model.has_begun(2)
    threading.Timer(0.05, model.may_go_on.set).start()
    await runner.aclose()
    first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, second) == ([b"a"], [b"b"])
    assert isinstance(third, EmbedderUnavailable)


async def test_a_question_waits_for_one_batch_of_bulk_work(runner: BatchRunner, model: Model) -> None:
    model.may_go_on.clear()
    bulk = ask(runner, *"abcdefgh", bulk=True)
    await model.has_begun(1)
    question = ask(runner, "question")
    await asyncio.sleep(0)
    model.may_go_on.set()
    await question
    await bulk
    assert model.batches[:2] == [["a", "b"], ["question"]]


async def test_who_waits_too_long_is_told_and_dropped(runner: BatchRunner, model: Model) -> None:
    model.may_go_on.clear()
    running = ask(runner, "running")
    await model.has_begun(1)
    with pytest.raises(EmbedderTimeout, match=r"letters had no vector within 0\.01 s"):
        await ask(runner, "late", timeout_s=0.01)
    model.may_go_on.set()
    assert await running == [b"running"]
    assert await ask(runner, "next") == [b"next"]
    assert ["late"] not in model.batches


async def test_who_leaves_costs_nothing_more(runner: BatchRunner, model: Model) -> None:
    model.may_go_on.clear()
    running = ask(runner, "running")
    await model.has_begun(1)
    left = ask(runner, *"abcdefgh")
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    model.may_go_on.set()
    await running
    assert await ask(runner, "next") == [b"next"]
    assert model.batches == [["running"], ["next"]]


async def test_a_batch_that_fails_is_told_to_its_calls_and_to_no_others(
    runner: BatchRunner, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    model.failure = RuntimeError("session crashed over: secret words")
    with pytest.raises(EmbedderUnavailable, match=r"^letters failed: RuntimeError$"):
        await ask(runner, "secret words")
    model.failure = None
    assert await ask(runner, "next") == [b"next"]
    (record,) = caplog.records
    assert record.__dict__["reason"] == "RuntimeError"
    assert "secret" not in caplog.text


async def test_vectors_that_are_lost_are_a_failure(runner: BatchRunner, model: Model) -> None:
    model.lost = 1
    with pytest.raises(EmbedderUnavailable, match="letters failed"):
        await ask(runner, "a", "b")


async def test_closing_tells_who_waits(runner: BatchRunner, model: Model) -> None:
    model.may_go_on.clear()
    running, waiting = ask(runner, "running"), ask(runner, "waiting")
    await model.has_begun(1)
    threading.Timer(0.05, model.may_go_on.set).start()
    later = ask(runner, "later")
    await asyncio.sleep(0)
    await runner.aclose()
    outcomes = await asyncio.gather(running, waiting, later, return_exceptions=True)
    assert list(outcomes[:2]) == [[b"running"], [b"waiting"]]  # one batch, which was under way
    assert isinstance(outcomes[2], EmbedderUnavailable)
    with pytest.raises(EmbedderUnavailable, match="letters is closed"):
        await ask(runner, "after")


async def test_without_a_start_there_is_a_reason() -> None:
    runner = BatchRunner(
        name="letters", limits=BatchLimits(texts=1, chars=1), bulk_limits=BatchLimits(texts=1, chars=1)
    )
    with pytest.raises(EmbedderUnavailable, match="letters was not started"):
        await runner.run(["a"], timeout_s=1, bulk=False)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (EmbedderUnavailable("no file"), "^no file$"),
        (MemoryError("full"), "^letters cannot be loaded: MemoryError: full$"),
    ],
)
async def test_what_kept_it_from_loading_is_said_ever_after(failure: Exception, reason: str) -> None:
    runner = BatchRunner(
        name="letters", limits=BatchLimits(texts=1, chars=1), bulk_limits=BatchLimits(texts=1, chars=1)
    )

    def load() -> tuple[None, None]:
        raise failure

    with pytest.raises(EmbedderUnavailable, match=reason):
        await runner.load(load)  # type: ignore[arg-type]  # it returns nothing
    with pytest.raises(EmbedderUnavailable, match=reason):
        await runner.run(["a"], timeout_s=1, bulk=False)
