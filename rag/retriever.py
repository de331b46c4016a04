"""From a question to its passages: the pipelines v1 to v4."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rag.base import CorpusStore, QuestionRewriter, Reranker, RerankError
from rag.errors import EmbedderMismatch
from rag.fusion import fused
from rag.types import Collection, Passage, RagRequest, RagVersion, Retrieved, Search, StandaloneQuestion
from serving.embedders.base import Embedder, EmbedderError

_BY_MEANING_ALONE = (RagVersion.V1, RagVersion.V2)


class CorpusRetriever:
    """Implements `Retriever`. Without the embedder a question is searched by its words alone, and says so."""

    def __init__(
        self,
        *,
        store: CorpusStore,
        embedder: Embedder,
        rewriter: QuestionRewriter,
        reranker: Reranker | None,
        embed_timeout_s: float,
        candidates: int = 30,
    ) -> None:
        """`reranker`: None keeps the fused order. `candidates`: of each of the two lists that are fused."""
        self._store = store
        self._embedder = embedder
        self._rewriter = rewriter
        self._reranker = reranker
        self._embed_timeout_s = embed_timeout_s
        self._candidates = candidates

    def understand(self, request: RagRequest, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        if request.version is RagVersion.V1:
            # Its words are for the case that there is no embedder.
            words = self._rewriter.rewrite(question, ()).words
            return StandaloneQuestion(text=question, search_text=question, words=words)
        return self._rewriter.rewrite(question, earlier)

    async def retrieve(
        self, tenant: str, collection: Collection, request: RagRequest, question: StandaloneQuestion
    ) -> Retrieved:
        seconds: dict[str, float] = {}
        degraded: list[str] = []
        started = time.perf_counter()
        vector = await self._vector(collection, question)
        seconds["embed"] = time.perf_counter() - started
        if vector is None:
            degraded.append("embedder")
        hybrid = request.version not in _BY_MEANING_ALONE
        search = Search(
            tenant=tenant,
            collection=collection,
            vector=vector,
            words=question.words if hybrid or vector is None else (),
            count=max(self._candidates, request.top_k) if hybrid else request.top_k,
        )
        started = time.perf_counter()
        passages = await self._found(search)
        seconds["search"] = time.perf_counter() - started
        if hybrid and self._reranker is not None and passages:
            started = time.perf_counter()
            try:
                passages = await self._reranker.rerank(question, passages, count=request.top_k)
            except RerankError:
                degraded.append("rerank")
            seconds["rerank"] = time.perf_counter() - started
        return Retrieved(passages=tuple(passages[: request.top_k]), degraded=tuple(degraded), seconds=seconds)

    async def _vector(self, collection: Collection, question: StandaloneQuestion) -> bytes | None:
        """Raises EmbedderMismatch."""
        if collection.embedder != self._embedder.name:
            raise EmbedderMismatch(collection=collection.name, stored=collection.embedder, current=self._embedder.name)
        try:
            [vector] = await self._embedder.embed([question.search_text], timeout_s=self._embed_timeout_s)
        except EmbedderError:
            return None
        return vector

    async def _found(self, search: Search) -> list[Passage]:
        if search.vector is None and not search.words:
            return []
        found = await self._store.search(search)
        if search.vector is not None and search.words:
            return fused(found.by_meaning, found.by_words)
        return found.by_meaning or found.by_words
