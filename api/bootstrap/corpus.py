"""Answers from documents, and all of their parts."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from api.bootstrap.answer_cache_services import AnswerCacheServices
from api.bootstrap.background_starts import started_in_background
from api.grounding.base import Grounding
from api.grounding.off import GroundingOff
from api.readiness import Dependency
from api.routes.rag_access import Corpus
from api.settings import Settings
from observability.metrics import Metrics
from serving.embedders.base import Embedder
from serving.http.pool import ConnectionPool

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CorpusServices:
    grounding: Grounding
    corpus: Corpus | None
    """None: RAG_ENABLED=false."""
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    starts: Sequence[Callable[[], Awaitable[None]]] = ()
    """In the background: the gateway serves at once, and answers from documents when their parts are there."""
    closes: Sequence[Callable[[], Awaitable[None]]] = ()
    """In this order."""

    def running(self) -> AbstractAsyncContextManager[None]:
        return started_in_background(self.starts, closes=self.closes, whose="the corpus")


def corpus_services(
    settings: Settings, metrics: Metrics, pool: ConnectionPool, *, embedder: Embedder, cache: AnswerCacheServices
) -> CorpusServices:
    """`embedder`: of questions and of documents, whoever comes first has it loaded. Raises GlossaryError."""
    if not settings.rag.rag_enabled:
        return CorpusServices(grounding=GroundingOff(), corpus=None)
    from api.bootstrap.corpus_parts import CorpusParts  # noqa: PLC0415 - nothing of it is imported where it is off
    from api.bootstrap.reranking import make_reranker  # noqa: PLC0415 - idem

    parts = CorpusParts(
        settings.rag,
        metrics,
        database_url=settings.stores.database_address,
        embedder=embedder,
        reranker=make_reranker(settings.rag, pool),
    )
    return CorpusServices(
        grounding=parts.grounding(cache.parser),
        corpus=Corpus(
            store=parts.store,
            ingestion=parts.ingestion(),
            retriever=parts.retriever,
            answers=cache.corpus_answers,
        ),
        dependencies={"corpus": Dependency(parts.store.check), "embedder": Dependency(embedder.check)},
        starts=[parts.link.start],
        closes=[parts.link.aclose],
    )
