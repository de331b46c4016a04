"""A retriever whose steps are counted, whoever asks it."""

from __future__ import annotations

from collections.abc import Sequence

from observability.metrics import Metrics
from rag.base import Retriever
from rag.types import Collection, RagRequest, RagVersion, Retrieved, StandaloneQuestion

_STEPS = ("embed", "search", "rerank")
_PARTS = ("embedder", "rerank")


class MeasuredRetriever:
    """`Retriever`."""

    def __init__(self, retriever: Retriever, metrics: Metrics) -> None:
        self._retriever = retriever
        self._steps = {step: metrics.rag_step_s.labels(step) for step in _STEPS}
        self._degraded = {part: metrics.rag_degraded.labels(part) for part in _PARTS}
        self._passages = {version: metrics.rag_passages.labels(version.value) for version in RagVersion}

    def understand(self, request: RagRequest, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        return self._retriever.understand(request, question, earlier)

    async def retrieve(
        self, tenant: str, collection: Collection, request: RagRequest, question: StandaloneQuestion
    ) -> Retrieved:
        found = await self._retriever.retrieve(tenant, collection, request, question)
        self._passages[request.version].observe(len(found.passages))
        for step, seconds in found.seconds.items():
            if (series := self._steps.get(step)) is not None:
                series.observe(seconds)
        for part in found.degraded:
            if (counter := self._degraded.get(part)) is not None:
                counter.inc()
        return found
