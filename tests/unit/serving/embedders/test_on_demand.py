"""Loaded once, when needed, and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.on_demand import OnDemandEmbedder


class Slow:
    """Starts when it may, or fails with what it was given."""

    name = "slow"
    dimensions = 1

    def __init__(self) -> None:
        self.may_start = asyncio.Event()
        self.failures: list[Exception] = []
        self.starts = 0
        self.closed = False

    async def start(self) -> None:
        self.starts += 1
        await self.may_start.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        assert timeout_s > 0
        return [b"bulk" if bulk else b"once" for _ in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    async def check(self) -> None:
        if self.closed:
            raise EmbedderUnavailable("closed")

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
async def slow() -> Slow:
    return Slow()


class Changes(list[tuple[bool, str]]):
    def __call__(self, loaded: bool, reason: str) -> None:
        self.append((loaded, reason))


async def test_the_first_call_loads_it_and_the_next_do_not(slow: Slow) -> None:
    changes = Changes()
    embedder = OnDemandEmbedder(lambda: slow, on_change=changes)
    assert slow.starts == 0
    slow.may_start.set()
    assert await asyncio.gather(*(embedder.embed(["a"], timeout_s=10, bulk=bulk) for bulk in (False, True))) == [
        [b"once"],
        [b"bulk"],
    ]
    assert await embedder.token_counts(["abc"]) == [3]
    await embedder.start()
    assert slow.starts == 1
    assert changes == [(True, "")]
    assert (embedder.name, embedder.dimensions) == ("slow", 1)


async def test_nobody_waits_longer_for_it_than_for_a_vector(slow: Slow) -> None:
    embedder = OnDemandEmbedder(lambda: slow, on_change=Changes())
    with pytest.raises(EmbedderTimeout, match="slow is being loaded"):
        await embedder.embed(["a"], timeout_s=0.01)
    slow.may_start.set()
    assert await embedder.embed(["a"], timeout_s=10) == [b"once"]
    assert slow.starts == 1, "who has left has not stopped it"


async def test_what_nobody_asks_for_is_not_even_made(slow: Slow) -> None:
    made: list[Slow] = []

    def make() -> Slow:
        made.append(slow)
        return slow

    unused = OnDemandEmbedder(make, on_change=Changes())
    await unused.check()
    await unused.aclose()
    assert made == []
    embedder = OnDemandEmbedder(make, on_change=Changes())
    assert embedder.name == embedder.name == "slow"
    assert made == [slow]


async def test_what_nobody_needs_is_not_loaded_to_be_checked(slow: Slow) -> None:
    embedder = OnDemandEmbedder(lambda: slow, on_change=Changes())
    await embedder.check()
    assert slow.starts == 0
    slow.may_start.set()
    await embedder.start()
    await embedder.check()
    await embedder.aclose()
    with pytest.raises(EmbedderUnavailable, match="closed"):
        await embedder.check()


@pytest.mark.parametrize("error", [EmbedderUnavailable("no such folder"), OSError("disk")])
async def test_a_failure_is_said_once_and_tried_again(slow: Slow, error: Exception) -> None:
    changes = Changes()
    embedder = OnDemandEmbedder(lambda: slow, on_change=changes, retry_s=0.0)
    slow.may_start.set()
    slow.failures = [error, error]
    for _ in range(2):
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed(["a"], timeout_s=10)
    assert await embedder.embed(["a"], timeout_s=10) == [b"once"]
    assert slow.starts == 3
    assert [loaded for loaded, _ in changes] == [False, True]
    assert str(error) in changes[0][1]


async def test_between_two_attempts_calls_fail_at_once(slow: Slow) -> None:
    embedder = OnDemandEmbedder(lambda: slow, on_change=Changes(), retry_s=60.0)
    slow.may_start.set()
    slow.failures = [EmbedderUnavailable("no such folder")]
    for _ in range(3):
        with pytest.raises(EmbedderUnavailable, match="no such folder"):
            await embedder.token_counts(["a"])
    with pytest.raises(EmbedderUnavailable, match="no such folder"):
        await embedder.check()
    assert slow.starts == 1


async def test_it_can_be_closed_while_it_loads(slow: Slow) -> None:
    embedder = OnDemandEmbedder(lambda: slow, on_change=Changes())
    starting = asyncio.create_task(embedder.start())
    for _ in range(5):
        await asyncio.sleep(0)
    assert slow.starts == 1
    await embedder.aclose()
    assert slow.closed
    await asyncio.wait([starting])
    assert starting.cancelled()
