from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest

from serving.embedders.base import EmbedderTimeout
from serving.embedders.cached import CachedEmbedder


class Counting:
    name = "counting/exact"
    dimensions = 1

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.started = self.closed = self.checked = False

    async def start(self) -> None:
        self.started = True

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:  # noqa: ARG002 - the protocol's
        self.asked.append(list(texts))
        if timeout_s <= 0:
            raise EmbedderTimeout("late")
        return [text.encode("utf-8", "surrogatepass")[:4].ljust(4) for text in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    async def check(self) -> None:
        self.checked = True

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def inner() -> Counting:
    return Counting()


async def test_a_text_is_embedded_once(inner: Counting) -> None:
    cache = CachedEmbedder(inner)
    assert await cache.embed(["a", "b", "a"], timeout_s=1) == [b"a   ", b"b   ", b"a   "]
    assert await cache.embed(["b", "c"], timeout_s=1) == [b"b   ", b"c   "]
    assert inner.asked == [["a", "b"], ["c"]]
    assert (cache.hits, cache.misses) == (2, 3)


async def test_the_least_recently_used_goes_first(inner: Counting) -> None:
    cache = CachedEmbedder(inner, max_entries=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await cache.embed([text], timeout_s=1)
    assert inner.asked == [["a"], ["b"], ["c"], ["b"]]


async def test_one_call_may_be_larger_than_the_cache(inner: Counting) -> None:
    cache = CachedEmbedder(inner, max_entries=2)
    assert len(await cache.embed(["a", "b", "c", "d"], timeout_s=1)) == 4
    await cache.embed(["c", "d"], timeout_s=1)
    assert len(inner.asked) == 1


async def test_bulk_work_looks_and_leaves_nothing(inner: Counting) -> None:
    cache = CachedEmbedder(inner, max_entries=2)
    await cache.embed(["a"], timeout_s=1)
    assert await cache.embed(["a", "x", "y"], timeout_s=1, bulk=True) == [b"a   ", b"x   ", b"y   "]
    await cache.embed(["a"], timeout_s=1)
    await cache.embed(["x"], timeout_s=1)
    assert inner.asked == [["a"], ["x", "y"], ["x"]]


async def test_a_failure_is_not_remembered(inner: Counting) -> None:
    cache = CachedEmbedder(inner)
    with pytest.raises(EmbedderTimeout):
        await cache.embed(["a"], timeout_s=0)
    assert await cache.embed(["a"], timeout_s=1) == [b"a   "]


async def test_half_a_character_is_a_text_as_well(inner: Counting) -> None:
    assert await CachedEmbedder(inner).embed(["\ud800"], timeout_s=1)


async def test_texts_are_not_kept(inner: Counting) -> None:
    cache = CachedEmbedder(inner)
    inner.asked = []
    tracemalloc.start()
    try:
        for number in range(20):
            await cache.embed([f"{number}" * 500_000], timeout_s=1)
            inner.asked.clear()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000


async def test_everything_else_is_the_embedders_own(inner: Counting) -> None:
    cache = CachedEmbedder(inner)
    await cache.start()
    await cache.check()
    assert await cache.token_counts(["abc"]) == [3]
    assert (cache.name, cache.dimensions) == ("counting/exact", 1)
    await cache.aclose()
    assert inner.started
    assert inner.checked
    assert inner.closed


def test_it_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="max_entries is 0: must be 1 or more"):
        CachedEmbedder(Counting(), max_entries=0)
