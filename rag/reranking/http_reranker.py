"""Reranking by a server with `POST /v1/rerank` as Cohere, Jina, vLLM, TEI and others have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rag.base import RerankError
from rag.embedded_text import embedded_text
from rag.types import Passage, StandaloneQuestion

_PATH = "/rerank"


class JsonPost(Protocol):
    async def post(self, path: str, body: object, *, timeout_s: float) -> object:
        """The decoded answer. Raises OSError, of which TimeoutError."""
        ...


class HttpReranker:
    def __init__(self, *, server: JsonPost, model: str, timeout_s: float) -> None:
        """`model`: the server's name of it; empty: the only one it has."""
        self._server = server
        self._model = model
        self._timeout_s = timeout_s

    async def rerank(self, question: StandaloneQuestion, passages: Sequence[Passage], *, count: int) -> list[Passage]:
        body: dict[str, object] = {
            "query": question.text,
            "documents": [embedded_text(one.title, one.headings, one.text) for one in passages],
            "top_n": min(count, len(passages)),
        }
        if self._model:
            body["model"] = self._model
        try:
            answer = await self._server.post(_PATH, body, timeout_s=self._timeout_s)
        except OSError as error:
            raise RerankError(f"the reranker cannot be asked: {error}") from error
        ranked = [replace(passages[index], score=score) for index, score in _ranking(answer, len(passages))]
        if not ranked and passages:
            raise RerankError("the reranker named no passage")
        ranked.sort(key=lambda passage: passage.score, reverse=True)
        return ranked[:count]


def _ranking(answer: object, count: int) -> list[tuple[int, float]]:
    """Index and score of each passage that the answer names. Raises RerankError."""
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise RerankError("the reranker's answer has no results")
    found: dict[int, float] = {}
    for result in results:
        index, score = (
            (result.get("index"), result.get("relevance_score")) if isinstance(result, dict) else (None, None)
        )
        if type(index) is not int or not isinstance(score, int | float) or not 0 <= index < count or index in found:
            raise RerankError("the reranker's answer names a passage that it was not given, or one twice")
        found[index] = float(score)
    return list(found.items())
