"""Who puts passages in the order in which they answer a question."""

from __future__ import annotations

from api.settings import RagSettings, RerankerKind
from rag.base import Reranker
from rag.reranking.http_reranker import HttpReranker
from rag.reranking.term_reranker import TermReranker
from serving.http.json_client import JsonClient
from serving.http.pool import ConnectionPool


def make_reranker(settings: RagSettings, pool: ConnectionPool) -> Reranker | None:
    """None: they stay in the order in which the two searches together have them."""
    match settings.rag_reranker:
        case RerankerKind.OFF:
            return None
        case RerankerKind.TERMS:
            return TermReranker()
    return HttpReranker(
        server=JsonClient(
            base_url=settings.rag_rerank_base_url or "",
            pool=pool,
            api_key=settings.rag_rerank_api_key.get_secret_value().strip() or None,
        ),
        model=settings.rag_rerank_model,
        timeout_s=settings.rag_rerank_timeout_s,
    )
