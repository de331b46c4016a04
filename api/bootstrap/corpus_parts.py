"""The corpus over Postgres, with the built-in rules for questions and for the order of passages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from api.cache.base import QuestionParser
from api.grounding.corpus import CorpusGrounding
from api.grounding.measured import MeasuredRetriever
from api.postgres_connection import BoundedConnection
from api.postgres_link import PostgresLink
from api.schemas.tokens import estimated_tokens
from api.settings import RagSettings
from observability.metrics import Metrics
from rag.base import Reranker
from rag.ingest import Ingestor
from rag.isolated_reader import IsolatedReader, ReadLimits
from rag.packing import packed
from rag.retriever import CorpusRetriever
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter
from rag.store.postgres_corpus import PostgresCorpus
from rag.store.schema import CorpusSchema
from rag.types import Passage
from serving.embedders.base import Embedder

logger = logging.getLogger(__name__)
# A document waits for its connection; what takes longer will not come.
_CONNECT_S = 5.0
# Postgres gives up on a statement before the gateway gives up on Postgres: one that is slow is no loss of all.
_STATEMENT_SHARE = 0.9


class CorpusParts:
    def __init__(
        self,
        settings: RagSettings,
        metrics: Metrics,
        *,
        database_url: str,
        embedder: Embedder,
        reranker: Reranker | None,
    ) -> None:
        """Raises GlossaryError."""
        self._settings = settings
        self._metrics = metrics
        self._embedder = embedder
        schema = CorpusSchema(
            statement_timeout_s=settings.rag_search_timeout_s * _STATEMENT_SHARE, ef_search=settings.rag_hnsw_ef_search
        )
        self.link = PostgresLink(
            database_url=database_url,
            timeout_s=settings.rag_search_timeout_s,
            prepare=schema.prepare,
            adopt=schema.adopt,
            on_change=_report,
            connections=settings.rag_connections,
        )
        self.store = PostgresCorpus(
            database=self.link,
            open_connection=partial(BoundedConnection.open, database_url, timeout_s=_CONNECT_S),
            schema=schema,
            write_timeout_s=settings.rag_write_timeout_s,
        )
        self._rewriter = RuleRewriter(load_glossary(settings.rag_glossary))
        retriever = CorpusRetriever(
            store=self.store,
            embedder=embedder,
            rewriter=self._rewriter,
            reranker=reranker,
            embed_timeout_s=settings.rag_embed_timeout_s,
            candidates=settings.rag_candidates,
        )
        self.retriever = MeasuredRetriever(retriever, metrics)

    def ingestion(self) -> Ingestor:
        settings = self._settings
        limits = ReadLimits(
            chunk_tokens=settings.rag_chunk_tokens,
            max_chunks=settings.rag_max_chunks_per_document,
            max_pages=settings.rag_max_pages,
            memory_bytes=settings.rag_parse_memory_bytes,
            timeout_s=settings.rag_parse_timeout_s,
        )
        return Ingestor(
            reader=IsolatedReader(limits=limits, processes=settings.rag_parse_processes),
            store=self.store,
            embedder=self._embedder,
            embed_timeout_s=settings.rag_ingest_embed_timeout_s,
            batch=settings.rag_ingest_batch,
        )

    def grounding(self, parser: QuestionParser | None) -> CorpusGrounding:
        return CorpusGrounding(
            store=self.store,
            retriever=self.retriever,
            pack=self._packed,
            parser=parser,
            rewriter_version=self._rewriter.version,
            metrics=self._metrics,
        )

    def _packed(self, passages: Sequence[Passage]) -> list[Passage]:
        return packed(passages, budget=self._settings.rag_context_tokens, count=estimated_tokens)


def _report(connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
    if connected:
        logger.info("the corpus has its database")
    else:
        logger.warning("no answers from documents: Postgres is away", extra={"reason": reason})
