"""The settings of answering from a corpus."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from api.settings.groups import BaseUrl, Group, Positive, Seconds
from rag.types import RagVersion


class RerankerKind(StrEnum):
    TERMS = "terms"
    HTTP = "http"
    OFF = "off"


class RagSettings(Group):
    """Retrieval"""

    rag_enabled: bool = True
    """Take documents, and answer from them; off: nothing of it runs."""
    rag_default_version: RagVersion = RagVersion.V4
    """Pipeline of requests that name none: v1, v2, v3 or v4."""
    rag_top_k: Annotated[int, Field(ge=1, le=20)] = 5
    """Passages an answer is given where the request does not say."""
    rag_context_tokens: Positive = 1500
    """Tokens that passages may take of a prompt."""
    rag_fallback_ttl_s: Seconds = 604_800.0
    """Seconds an answer of v4 is kept to be served again, marked stale, while nothing can give a new one."""
    rag_connections: Annotated[int, Field(ge=1, le=100)] = 4
    """Connections to Postgres that each worker searches documents over."""
    rag_max_chunks_per_document: Positive = 20_000
    """Passages one document may have; a longer one is refused."""
    rag_chunk_tokens: Annotated[int, Field(ge=64, le=4096)] = 200
    """Tokens of a passage with its title and headings, by an estimate; the built-in embedder reads 256."""
    rag_max_pages: Positive = 5000
    """Pages that a PDF may have."""
    rag_parse_timeout_s: Seconds = 60.0
    """Seconds the process that reads a document may take, and that a document waits for one."""
    rag_parse_memory_bytes: Annotated[int, Field(ge=200_000_000)] = 1_000_000_000
    """Address space of the process that reads a document."""
    rag_parse_processes: Positive = 2
    """Documents that a worker reads at once, each in a process of its own."""
    rag_ingest_batch: Annotated[int, Field(ge=1, le=1024)] = 64
    """Passages of a document that are embedded, and stored, at once."""
    rag_ingest_embed_timeout_s: Seconds = 60.0
    """Seconds the embedder may take for such a batch, which gives way to questions."""
    rag_search_timeout_s: Seconds = 0.5
    """Seconds Postgres may take to find passages, or for anything else but storing."""
    rag_embed_timeout_s: Seconds = 0.5
    """Seconds a question's vector may take before passages are looked for by words alone."""
    rag_glossary: Path | None = None
    """Your own words for standard terms (YAML), over those that come with it; empty: none."""
    rag_candidates: Annotated[int, Field(ge=1, le=200)] = 30
    """Passages that v3 and v4 take from each of their two searches, before they are put in order."""
    rag_reranker: RerankerKind = RerankerKind.TERMS
    """Who puts passages in order: terms (by rules, built in), http (a server with /v1/rerank), or off."""
    rag_rerank_base_url: BaseUrl | None = None
    """Where RAG_RERANKER=http finds a Cohere-, Jina- or vLLM-like server, such as https://host/v1."""
    rag_rerank_api_key: SecretStr = SecretStr("")
    """Key for that server."""
    rag_rerank_model: str = ""
    """That server's name of the model; empty: none is named."""
    rag_rerank_timeout_s: Seconds = 0.5
    """Seconds that server may take before passages stay as the searches found them."""
    rag_write_timeout_s: Seconds = 30.0
    """Seconds Postgres may take for each step of storing a document."""
    rag_hnsw_ef_search: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many passages a walk of the vector graph keeps in view: more finds more of the nearest, later."""
    rag_uploads_per_worker: Positive = 4
    """Documents one worker stores at a time; beyond that each tenant has one, and more get 429."""

    @model_validator(mode="after")
    def _http_needs_an_address(self) -> Self:
        if self.rag_reranker is RerankerKind.HTTP and self.rag_rerank_base_url is None:
            raise ValueError("RAG_RERANKER=http needs RAG_RERANK_BASE_URL, such as https://host/v1")
        return self
