"""The settings of the answer cache, its embedder and the admin API."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from api.settings.groups import BaseUrl, Environment, Group, Positive, Seconds

Share = Annotated[float, Field(ge=0, le=1)]


class CacheIndex(StrEnum):
    AUTO = "auto"
    REDIS = "redis"
    PGVECTOR = "pgvector"
    OFF = "off"


class EmbedderKind(StrEnum):
    ONNX = "onnx"
    SENTENCE_TRANSFORMERS = "sentence-transformers"
    OPENAI = "openai"


class CacheSettings(Group):
    """Semantic cache"""

    semantic_cache_enabled: bool = True
    """Answer questions that mean the same from Redis; off: every call goes to an engine."""
    semantic_cache_min_cosine: Share = 0.92
    """How close the vectors of two questions must be, beside meaning the same by every other rule."""
    semantic_cache_ttl_s: Seconds = 86_400.0
    """Seconds an answer is kept, however often it is read."""
    semantic_cache_volatile_ttl_s: Seconds = 300.0
    """The same for questions about now: today, current, latest, last quarter."""
    semantic_cache_max_temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    """Answers to requests with a higher temperature are cached only where the client asks for it."""
    semantic_cache_omitted_temperature: bool = True
    """Whether a request that names no temperature may be answered from the cache."""
    semantic_cache_max_entries: Positive = 20_000
    """Answers kept for each tenant; beyond that those go that save least."""
    semantic_cache_max_bytes: Positive = 100_000_000
    """Bytes kept for each tenant: compressed answers, and for each an estimate of its keys (1600) and vector (2500)."""
    semantic_cache_index: CacheIndex = CacheIndex.AUTO
    """Where vectors are searched: auto (Redis if it has vector sets, else pgvector), redis, pgvector or off."""
    semantic_cache_timeout_s: Seconds = 0.05
    """Seconds Redis or the index may take before a request goes on without the cache."""
    semantic_cache_flight_wait_s: Annotated[float, Field(ge=0)] = 20.0
    """Seconds a request waits for the answer to the same question that another one is getting; 0: not at all."""
    semantic_cache_secret: SecretStr = SecretStr("")
    """Key of the digests that entries are stored under, the same for all gateways; empty: a fixed one."""
    semantic_cache_lexicon: Path | None = None
    """Your own words for the cache (YAML), beside those that come with it; empty: none."""
    semantic_cache_audit_share: Share = 0.01
    """Share of the hits that are asked again in the background, to see that they were right; 0: none."""


class EmbedderSettings(Group):
    """Embedder"""

    embedder: EmbedderKind = EmbedderKind.ONNX
    """Who turns questions into vectors: onnx (built in), sentence-transformers (install it yourself), or openai."""
    embedder_model_dir: Path | None = None
    """Folder of the built-in model; empty: models/all-MiniLM-L6-v2 in DATA_DIR, where `make up` puts it."""
    embedder_timeout_s: Seconds = 0.1
    """Seconds a question's vector may take before the request goes on without it."""
    embedder_bulk_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Texts of documents that a worker's built-in model embeds at once, in threads that give way to all else."""
    embedder_base_url: BaseUrl | None = None
    """Where EMBEDDER=openai finds an OpenAI-compatible server, such as https://host/v1."""
    embedder_api_key: SecretStr = SecretStr("")
    """Key for that server."""
    embedder_model: str = ""
    """That server's name of the model, or the name or folder that sentence-transformers is to load."""

    @model_validator(mode="after")
    def _openai_needs_an_address(self) -> Self:
        if self.embedder is EmbedderKind.OPENAI and (self.embedder_base_url is None or not self.embedder_model):
            raise ValueError("EMBEDDER=openai needs EMBEDDER_BASE_URL, such as https://host/v1, and EMBEDDER_MODEL")
        return self


class AdminSettings(Group):
    """Administration"""

    environment: Environment = Environment.DEVELOPMENT
    """`production` refuses the development key."""
    admin_api_key: SecretStr = SecretStr("")
    """Bearer token of the admin API under /admin/v1, 16 characters or more; empty: it is off."""

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        key = self.admin_api_key.get_secret_value()
        if key and len(key) < 16:
            raise ValueError("ADMIN_API_KEY must have 16 characters or more")
        return self
