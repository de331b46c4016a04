from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, cast

import pytest

from rag.base import CorpusStore, Reranker, RerankError
from rag.errors import CorpusUnavailable, EmbedderMismatch
from rag.reranking.term_reranker import TermReranker
from rag.retriever import CorpusRetriever
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter
from rag.types import Found, Passage, RagRequest, RagVersion, Search, StandaloneQuestion
from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from tests.unit.rag.passages import collection, passage

NEAR = [passage(1, "near the question"), passage(2, "nearer"), passage(3, "nearest of all, and about leave")]
WORDY = [passage(3, "nearest of all, and about leave"), passage(4, "annual leave is 30 days")]
VECTOR = struct.pack("<2f", 1.0, 0.0)
QUESTION = StandaloneQuestion(text="Annual leave?", search_text="annual leave", words=("annual", "leave"))


class Store:
    """What the retriever asks of a store, and what it was asked."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.asked: list[Search] = []

    async def search(self, search: Search) -> Found:
        self.asked.append(search)
        if self.away:
            raise CorpusUnavailable("away")
        return Found(NEAR[: search.count] if search.vector else [], WORDY[: search.count] if search.words else [])


class Embedder:
    name = "test/float32"
    dimensions = 2

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.texts: list[str] = []
        self.timeouts: list[float] = []

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        assert not bulk
        self.texts += texts
        self.timeouts.append(timeout_s)
        if self.failure is not None:
            raise self.failure
        return [VECTOR for _ in texts]


class BrokenReranker:
    async def rerank(self, *_: object, **__: object) -> list[Passage]:
        raise RerankError("away")


def request(version: str, top_k: int = 3) -> RagRequest:
    return RagRequest(collection="papers", version=RagVersion(version), top_k=top_k)


def retriever(
    store: Store, *, embedder: Embedder | None = None, reranker: Reranker | None = None, candidates: int = 30
) -> CorpusRetriever:
    return CorpusRetriever(
        store=cast("CorpusStore", store),
        embedder=cast("Any", embedder or Embedder()),
        rewriter=RuleRewriter(load_glossary()),
        reranker=reranker,
        embed_timeout_s=0.25,
        candidates=candidates,
    )


def ids(passages: Sequence[Passage]) -> list[int]:
    return [one.chunk_id for one in passages]


def test_v1_takes_the_question_as_it_is() -> None:
    asked = "And its top line in the third quarter of 2024?"
    found = retriever(Store()).understand(request("v1"), asked, ["What was Zephyr's net income in Q3 2023?"])
    assert (found.text, found.search_text) == (asked, asked)


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_the_others_make_it_complete(version: str) -> None:
    found = retriever(Store()).understand(request(version), "and in Q4?", ["What was Zephyr's top line in Q3 2024?"])
    assert found.text == "What was Zephyr's revenue in Q4 2024?"
    assert found.complete


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_by_meaning_alone(version: str) -> None:
    store, embedder = Store(), Embedder()
    found = await retriever(store, embedder=embedder, reranker=TermReranker()).retrieve(
        "acme", collection(), request(version, top_k=2), QUESTION
    )
    assert ids(found.passages) == [1, 2]
    [search] = store.asked
    assert (search.tenant, search.vector, search.words, search.count) == ("acme", VECTOR, (), 2)
    assert (embedder.texts, embedder.timeouts) == (["annual leave"], [0.25])
    assert set(found.seconds) == {"embed", "search"}
    assert found.degraded == ()


@pytest.mark.parametrize("version", ["v3", "v4"])
async def test_both_ways_fused_and_put_in_order(version: str) -> None:
    store = Store()
    found = await retriever(store, reranker=TermReranker()).retrieve("acme", collection(), request(version), QUESTION)
    assert ids(found.passages)[:2] == [4, 3]
    [search] = store.asked
    assert (search.words, search.count) == (("annual", "leave"), 30)
    assert set(found.seconds) == {"embed", "search", "rerank"}


async def test_without_a_reranker_the_fused_order_stays() -> None:
    found = await retriever(Store()).retrieve("acme", collection(), request("v3", top_k=4), QUESTION)
    assert ids(found.passages) == [3, 1, 2, 4]
    assert found.degraded == ()


async def test_a_reranker_that_is_away_leaves_the_fused_order_and_says_so() -> None:
    found = await retriever(Store(), reranker=BrokenReranker()).retrieve(
        "acme", collection(), request("v3", top_k=2), QUESTION
    )
    assert ids(found.passages) == [3, 1]
    assert found.degraded == ("rerank",)


async def test_as_many_candidates_as_passages_are_wanted() -> None:
    store = Store()
    await retriever(store, candidates=2).retrieve("acme", collection(), request("v3", top_k=20), QUESTION)
    assert store.asked[0].count == 20


@pytest.mark.parametrize("failure", [EmbedderTimeout("late"), EmbedderUnavailable("away")])
@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4"])
async def test_without_the_embedder_by_words_alone(version: str, failure: Exception) -> None:
    store = Store()
    found = await retriever(store, embedder=Embedder(failure), reranker=TermReranker()).retrieve(
        "acme", collection(), request(version), QUESTION
    )
    assert set(ids(found.passages)) == {3, 4}
    assert found.degraded == ("embedder",)
    assert (store.asked[0].vector, store.asked[0].words) == (None, QUESTION.words)


async def test_neither_vector_nor_words_find_nothing_without_asking() -> None:
    store = Store()
    question = StandaloneQuestion(text="why?", search_text="why?", words=())
    found = await retriever(store, embedder=Embedder(EmbedderTimeout("late"))).retrieve(
        "acme", collection(), request("v4"), question
    )
    assert (found.passages, store.asked) == ((), [])


async def test_vectors_of_another_model_are_not_compared() -> None:
    store = Store()
    with pytest.raises(EmbedderMismatch, match="other/int8"):
        await retriever(store).retrieve("acme", collection(embedder="other/int8"), request("v4"), QUESTION)
    assert store.asked == []


async def test_a_store_that_is_away_is_told() -> None:
    with pytest.raises(CorpusUnavailable):
        await retriever(Store(away=True)).retrieve("acme", collection(), request("v4"), QUESTION)
