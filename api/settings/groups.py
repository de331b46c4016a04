"""The settings in frozen groups; each part of the platform is handed the one it needs.

The docstring below a setting is its meaning in `.env.example` and `docs/reference/settings.md`: `make reference`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.origins import checked_origins
from api.store_addresses import checked_database_url, checked_redis_url


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class ModelBackend(StrEnum):
    MOCK = "mock"
    RAY = "ray"
    VLLM = "vllm"
    OPENAI = "openai"


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


Port = Annotated[int, Field(ge=1, le=65535)]
OptionalPort = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Positive = Annotated[int, Field(gt=0)]
BaseUrl = Annotated[str, AfterValidator(lambda url: url.rstrip("/")), Field(pattern=r"^https?://\S+$")]
DatabaseUrl = Annotated[SecretStr, AfterValidator(lambda url: SecretStr(checked_database_url(url.get_secret_value())))]
# What a header can carry as one word; what is beyond ASCII would arrive in another encoding than it was set in.
_KEY = re.compile(r"[!-~]+")


class Group(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        use_attribute_docstrings=True,  # the line below a setting is its meaning in .env.example and in the reference
    )


class GatewaySettings(Group):
    """Gateway"""

    environment: Environment = Environment.DEVELOPMENT
    """`production` refuses the development key."""
    gateway_host: str = "127.0.0.1"
    """Address the gateway listens on; 0.0.0.0 means every interface."""
    gateway_port: Port = 8000
    """Port of the gateway."""
    workers: Positive = 2
    """Worker processes of one gateway; they share the port."""
    gateway_replicas: Positive = 1
    """Gateways that share one Redis: while Redis is away each worker grants its share of every limit."""
    max_body_bytes: Positive = 10_000_000
    """Largest request body in bytes; larger ones get 413."""
    body_timeout_s: Seconds = 20.0
    """Seconds a client may take to send its request body."""
    send_timeout_s: Seconds = 60.0
    """Seconds an answer may wait for a client that reads nothing of it; then the connection is cut."""
    shutdown_timeout_s: Seconds = 30.0
    """Seconds that open streams may go on after SIGTERM."""
    max_inflight_per_worker: Positive = 2048
    """Requests one worker serves at a time; more get 503."""
    max_inflight_tenant_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Part of them, and of WebSockets, that a tenant gets alone, less with each other; the rest is for newcomers."""


class WebSocketSettings(Group):
    """WebSockets"""

    websocket_max_per_worker: Positive = 1000
    """WebSockets one worker keeps open; more get 503."""
    websocket_idle_timeout_s: Seconds = 300.0
    """Seconds a WebSocket may be open without a request."""
    websocket_ping_interval_s: Seconds = 20.0
    """Seconds between pings to a WebSocket; a client that leaves one unanswered for as long is closed."""
    websocket_allowed_origins: Annotated[str, AfterValidator(checked_origins)] = ""
    """Web pages that may open one: origins with commas between them, or *; empty: pages of the gateway's own host."""


class KeySettings(Group):
    """Keys"""

    environment: Environment = Environment.DEVELOPMENT
    """`production` refuses the development key."""
    api_keys: SecretStr = SecretStr("dev-key:finsight")
    """API keys and their tenants: key:tenant,key:tenant."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        tenants = self.tenants_by_key()
        if self.environment is Environment.PRODUCTION and "dev-key" in tenants:
            raise ValueError(
                "API_KEYS holds dev-key, which ENVIRONMENT=production refuses: set API_KEYS to keys of your own"
            )
        return self

    def tenants_by_key(self) -> dict[str, str]:
        """API key -> tenant name."""
        pairs: dict[str, str] = {}
        for entry in filter(None, (part.strip() for part in self.api_keys.get_secret_value().split(","))):
            key, separator, tenant = entry.rpartition(":")
            if not separator or not key.strip() or not tenant.strip():
                raise ValueError("API_KEYS must be a comma-separated list of key:tenant")
            if not _KEY.fullmatch(key.strip()):
                raise ValueError(
                    "API_KEYS holds a key with a character that no client can send: "
                    "use ASCII letters, digits and signs, without spaces"
                )
            pairs[key.strip()] = tenant.strip()
        if not pairs:
            raise ValueError("API_KEYS must hold at least one key:tenant")
        return pairs


class LimitSettings(Group):
    """Limits"""

    rate_limit_rpm: Positive = 600
    """Requests a minute for each key."""
    rate_limit_tpm: Positive = 1_000_000
    """Tokens a minute for each key; prompt and answer count."""
    rate_limit_timeout_s: Seconds = 0.08
    """Seconds Redis may take before the worker's own limiter decides about a request."""


class StoreSettings(Group):
    """Stores"""

    redis_url: Annotated[str, AfterValidator(checked_redis_url)] = ""
    """Redis to use, redis://user:password@host:port/0; empty: the one that `make up` starts."""
    database_url: DatabaseUrl = SecretStr("")
    """Postgres to use, postgresql://user:password@host:port/database; empty: the one that `make up` starts."""

    @property
    def redis_address(self) -> str:
        return self.redis_url or "redis://127.0.0.1:6379/0"

    @property
    def database_address(self) -> str:
        return self.database_url.get_secret_value() or "postgresql://127.0.0.1:5432/postgres"


class ModelSettings(Group):
    """Models and engines"""

    model_backend: ModelBackend = ModelBackend.MOCK
    """Engine behind the models: mock, ray, vllm, or openai for any OpenAI-compatible server."""
    models_file: Path | None = None
    """Catalogue of models (YAML); empty: the built-in one for MODEL_BACKEND."""
    mock_base_url: BaseUrl = "http://127.0.0.1:8090/v1"
    """Where MockLLM answers; `make up` sets it to the one it starts."""
    ray_base_url: BaseUrl = "http://127.0.0.1:8080/v1"
    """Where your own Ray Serve answers, for MODEL_BACKEND=ray; the default: `make up` starts one."""
    vllm_base_url: BaseUrl = "http://127.0.0.1:8091/v1"
    """Where your own vLLM answers, for MODEL_BACKEND=vllm; the default: `make up` starts one."""
    upstream_base_url: BaseUrl | None = None
    """Where the upstream answers, such as https://host/v1; MODEL_BACKEND=openai needs it."""
    upstream_api_key: SecretStr = SecretStr("")
    """Key for the upstream."""
    upstream_model: str = ""
    """The upstream's name of the model; empty: the name that the client sent."""

    @model_validator(mode="after")
    def _openai_needs_an_address(self) -> Self:
        if self.model_backend is ModelBackend.OPENAI and self.models_file is None and self.upstream_base_url is None:
            raise ValueError("MODEL_BACKEND=openai needs UPSTREAM_BASE_URL, such as https://host/v1")
        return self


class UpstreamSettings(Group):
    """Time-outs towards engines; a model in the catalogue may set its own"""

    connect_timeout_s: Seconds = 2.0
    """Seconds to connect."""
    first_byte_timeout_s: Seconds = 60.0
    """Seconds until the first byte of an answer."""
    between_chunks_timeout_s: Seconds = 30.0
    """Seconds between two chunks of a stream."""
    request_timeout_s: Seconds = 600.0
    """Seconds for the whole answer."""


class LogSettings(Group):
    """Logs"""

    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    """DEBUG, INFO, WARNING or ERROR."""
    log_format: LogFormat = LogFormat.JSON
    """`json` for machines, `text` for people."""
