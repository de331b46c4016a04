"""What every embedder promises (serving/embedders/base.py), of each that runs here: the built-in model, the same behind
a cache, and MockLLM's `/v1/embeddings`. tests/real/engine has sentence-transformers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.embedders.base import Embedder, EmbedderTimeout, EmbedderUnavailable
from serving.embedders.cached import CachedEmbedder
from serving.embedders.minilm_onnx import MiniLMEmbedder
from serving.embedders.openai_http import OpenAIEmbedder
from serving.http.pool import ConnectionPool
from tests.integration.serving.mock_llm.conftest import mock_llm

LONG_S = 30.0
TEXTS = {
    "empty": "",
    "space": " \n\t ",
    "digits": "4711",
    "emoji": "🚀📈 to the moon 👩‍👩‍👧",
    "mixed scripts": "売上高 Umsatz выручка الإيرادات revenue",
    "half a character": "revenue \ud83d of Apple",
    "a null": "rev\x00enue",
    "the tokeniser's own words": "[CLS] [SEP] [MASK] [PAD] ##ing",
    "one word of 100 kB": "x" * 100_000,
    "100 kB": "net interest income " * 5_000,
}


@contextlib.asynccontextmanager
async def built_in(folder: Path) -> AsyncIterator[Embedder]:
    embedder = MiniLMEmbedder(folder)
    await embedder.start()
    yield embedder
    await embedder.aclose()


@contextlib.asynccontextmanager
async def over_http(base_url: str) -> AsyncIterator[Embedder]:
    pool = ConnectionPool(connect_timeout_s=LONG_S)
    timeouts = Timeouts(connect_s=LONG_S, first_byte_s=LONG_S, between_chunks_s=LONG_S, request_s=LONG_S)
    backend = OpenAIBackend(name="embedder", base_url=base_url, pool=pool, timeouts=timeouts, model="mock-embedding")
    embedder = OpenAIEmbedder(backend=backend, model="mock-embedding")
    await embedder.start()
    yield embedder
    await embedder.aclose()
    await pool.aclose()


@contextlib.asynccontextmanager
async def cached(folder: Path) -> AsyncIterator[Embedder]:
    async with built_in(folder) as embedder:
        yield CachedEmbedder(embedder)


@pytest.fixture(scope="module")
def embeddings_url() -> Iterator[str]:
    with mock_llm("--time-scale", "200", "--max-model-len", "200000", "--num-gpu-blocks", "20000") as server:
        yield f"{server.url}/v1"


@pytest.fixture(params=["built in", "cached", "over HTTP"])
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    if request.param == "over HTTP":
        async with over_http(request.getfixturevalue("embeddings_url")) as made:
            yield made
        return
    make = built_in if request.param == "built in" else cached
    async with make(request.getfixturevalue("minilm_dir")) as made:
        yield made


def vectors(raw: list[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([np.frombuffer(vector, dtype="<f4") for vector in raw])


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_every_text_has_a_unit_vector(embedder: Embedder, text: str) -> None:
    (vector,) = vectors(await embedder.embed([text], timeout_s=LONG_S))
    assert vector.shape == (embedder.dimensions,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    (count,) = await embedder.token_counts([text])
    assert count >= 2


async def test_vectors_come_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = [f"question number {number} about {'revenue ' * (number % 7)}" for number in range(70)]
    together = vectors(await embedder.embed(texts, timeout_s=LONG_S))
    alone = [vectors(await embedder.embed([text], timeout_s=LONG_S, bulk=True))[0] for text in texts[::10]]
    for one, same in zip(alone, together[::10], strict=True):
        assert one @ same == pytest.approx(1.0, abs=1e-5)


async def test_no_texts_have_no_vectors(embedder: Embedder) -> None:
    assert await embedder.embed([], timeout_s=LONG_S) == []


async def test_the_same_text_has_the_same_vector_whoever_asks_beside(embedder: Embedder) -> None:
    question = "What was Apple's revenue in Q3 2024?"
    (alone,) = await embedder.embed([question], timeout_s=LONG_S)
    others = [
        embedder.embed([f"{text} {n}"], timeout_s=LONG_S, bulk=n % 2 == 0) for n, text in enumerate(TEXTS.values())
    ]
    crowd = asyncio.gather(*others)
    (among,) = await embedder.embed([question], timeout_s=LONG_S)
    await crowd
    assert among == alone


async def test_similar_wording_is_nearer_than_another_subject(embedder: Embedder) -> None:
    asked, same, other = vectors(
        await embedder.embed(
            ["What was Apple's revenue in 2024?", "Apple's revenue in 2024", "How do I bake sourdough bread?"],
            timeout_s=LONG_S,
        )
    )
    assert asked @ same > asked @ other + 0.3


async def test_longer_texts_have_more_tokens(embedder: Embedder) -> None:
    short, long = await embedder.token_counts(["net income", "net income " * 400])
    assert short < 20
    assert long > 400


async def test_a_deadline_that_has_passed_is_a_timeout(embedder: Embedder) -> None:
    with pytest.raises(EmbedderTimeout, match="had no vector within 0 s"):
        await embedder.embed(["a question that nobody asked before"], timeout_s=0.0)
    await embedder.check()


async def test_who_leaves_does_no_harm(embedder: Embedder) -> None:
    tasks = [asyncio.create_task(embedder.embed([f"text {n}"] * 5, timeout_s=LONG_S)) for n in range(20)]
    await asyncio.sleep(0.005)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes[1::2]:
        assert isinstance(outcome, list)
        assert len(set(outcome)) == 1
    await embedder.check()


async def test_it_works_and_says_so(embedder: Embedder) -> None:
    await embedder.check()
    assert "/" in embedder.name


async def test_starting_twice_is_starting_once(embedder: Embedder) -> None:
    await embedder.start()
    await embedder.check()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(EmbedderUnavailable, match="embedder is unavailable"):
        async with over_http("http://127.0.0.1:1/v1"):
            pass
