"""The only reader of the environment: `.env` first, the process environment over it.

`Settings.load()` reads and checks everything once; each part of the platform is handed the one frozen group it
needs. A wrong value raises `SettingsError`, whose message names each variable and never prints a value (a value may be a
secret). Every setting is listed, with its default and meaning, in `.env.example`; a test keeps the two equal.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable."""


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


class _Group(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, env_file_encoding="utf-8")


class GatewaySettings(_Group):
    environment: Environment = Environment.DEVELOPMENT
    gateway_host: str = "127.0.0.1"
    gateway_port: Port = 8000
    workers: Positive = 2
    # How many gateway instances share the limits: while Redis is away each worker enforces its part of them.
    gateway_replicas: Positive = 1
    max_body_bytes: Positive = 10_000_000
    body_timeout_s: Seconds = 20.0
    shutdown_timeout_s: Seconds = 30.0
    max_inflight_per_worker: Positive = 2048


class KeySettings(_Group):
    """`API_KEYS=key:tenant,key:tenant`."""

    environment: Environment = Environment.DEVELOPMENT
    api_keys: SecretStr = SecretStr("dev-key:finsight")

    @model_validator(mode="after")
    def _refuse_the_development_key_in_production(self) -> Self:
        if self.environment is Environment.PRODUCTION and "dev-key" in self.tenants_by_key():
            raise ValueError("API_KEYS holds dev-key, which ENVIRONMENT=production refuses: set API_KEYS to keys of your own")
        return self

    def tenants_by_key(self) -> dict[str, str]:
        """API key -> tenant name."""
        pairs: dict[str, str] = {}
        for entry in filter(None, (part.strip() for part in self.api_keys.get_secret_value().split(","))):
            key, separator, tenant = entry.rpartition(":")
            if not separator or not key.strip() or not tenant.strip():
                raise ValueError("API_KEYS must be a comma-separated list of key:tenant")
            pairs[key.strip()] = tenant.strip()
        if not pairs:
            raise ValueError("API_KEYS must hold at least one key:tenant")
        return pairs


class LimitSettings(_Group):
    rate_limit_rpm: Positive = 600
    rate_limit_tpm: Positive = 1_000_000
    # Redis may take this long to answer before the worker's own limiter takes over for the request.
    rate_limit_timeout_s: Seconds = 0.08


class StoreSettings(_Group):
    """Where Redis and Postgres are; empty means the ones `make up` starts, whose addresses it hands to the gateway."""

    redis_url: str = Field("", pattern=r"^(|(redis|rediss|unix)://\S+)$")
    database_url: SecretStr = SecretStr("")


class ModelSettings(_Group):
    model_backend: ModelBackend = ModelBackend.MOCK
    models_file: Path | None = None
    mock_base_url: BaseUrl = "http://127.0.0.1:8090/v1"
    ray_base_url: BaseUrl = "http://127.0.0.1:8080/v1"
    vllm_base_url: BaseUrl = "http://127.0.0.1:8091/v1"
    upstream_base_url: BaseUrl | None = None
    upstream_api_key: SecretStr = SecretStr("")
    upstream_model: str = ""

    @model_validator(mode="after")
    def _openai_needs_an_address(self) -> Self:
        if self.model_backend is ModelBackend.OPENAI and self.models_file is None and self.upstream_base_url is None:
            raise ValueError("MODEL_BACKEND=openai needs UPSTREAM_BASE_URL, such as https://host/v1")
        return self


class UpstreamSettings(_Group):
    """Time-outs towards engines; a model in `models.yaml` may set its own."""

    connect_timeout_s: Seconds = 2.0
    first_byte_timeout_s: Seconds = 60.0
    between_chunks_timeout_s: Seconds = 30.0
    request_timeout_s: Seconds = 600.0


class LogSettings(_Group):
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: LogFormat = LogFormat.JSON


class EmbeddedSettings(_Group):
    """The stack of `make up`. A port of 0 means: any free one, remembered in the data folder."""

    data_dir: Path = Path(".data")
    mock_port: OptionalPort = 0
    mock_admin_port: OptionalPort = 0
    mock_time_scale: Annotated[float, Field(gt=0)] = 1.0
    mock_batching: str = Field("continuous", pattern=r"^(continuous|static)$")
    redis_port: OptionalPort = 0
    postgres_port: OptionalPort = 0


@dataclass(frozen=True, kw_only=True)
class Settings:
    gateway: GatewaySettings
    keys: KeySettings
    limits: LimitSettings
    stores: StoreSettings
    models: ModelSettings
    upstream: UpstreamSettings
    logs: LogSettings
    embedded: EmbeddedSettings

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Settings:
        """Read `env_file` (if it exists) and the environment, which wins. Raises SettingsError."""
        try:
            return cls(**{name: group(_env_file=env_file) for name, group in GROUPS.items()})  # type: ignore[arg-type]  # each name maps to its own group, which the mapping's type cannot say
        except ValidationError as error:
            raise SettingsError(_describe(error)) from None


GROUPS: dict[str, type[_Group]] = {
    "gateway": GatewaySettings,
    "keys": KeySettings,
    "limits": LimitSettings,
    "stores": StoreSettings,
    "models": ModelSettings,
    "upstream": UpstreamSettings,
    "logs": LogSettings,
    "embedded": EmbeddedSettings,
}


def setting_names() -> set[str]:
    """Every environment variable that the platform reads."""
    return {field.upper() for group in GROUPS.values() for field in group.model_fields}


def _describe(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        variable = ".".join(str(part) for part in problem["loc"]).upper()
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{variable}: {message}" if variable else message)
    return "; ".join(problems)
