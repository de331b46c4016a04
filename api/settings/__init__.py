"""The only reader of the environment: `.env` first, the process environment over it.

`Settings.load()` reads and checks everything once; each part of the platform is handed the one frozen group it needs.
A wrong value raises `SettingsError`, whose message names each variable and never prints a value (it may be a secret).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic import ValidationError

from api.settings.cache import AdminSettings, CacheIndex, CacheSettings, EmbedderKind, EmbedderSettings
from api.settings.embedded import EmbeddedSettings, EngineSettings, RayEngine, VllmPreset
from api.settings.groups import (
    Environment,
    GatewaySettings,
    Group,
    KeySettings,
    LimitSettings,
    LogFormat,
    LogSettings,
    ModelBackend,
    ModelSettings,
    StoreSettings,
    UpstreamSettings,
    WebSocketSettings,
)
from api.settings.rag import RagSettings, RerankerKind
from api.settings.sessions import SessionSettings
from api.settings.tenants import FairnessSettings, LedgerSettings, TenantSettings

__all__ = [
    "GROUPS",
    "AdminSettings",
    "CacheIndex",
    "CacheSettings",
    "EmbeddedSettings",
    "EmbedderKind",
    "EmbedderSettings",
    "EngineSettings",
    "Environment",
    "FairnessSettings",
    "GatewaySettings",
    "LedgerSettings",
    "LogFormat",
    "ModelBackend",
    "ModelSettings",
    "RagSettings",
    "RayEngine",
    "RerankerKind",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "TenantSettings",
    "UpstreamSettings",
    "VllmPreset",
    "WebSocketSettings",
    "load_embedded_settings",
    "setting_names",
]


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable."""


_GroupT = TypeVar("_GroupT", bound=Group)


@dataclass(frozen=True, kw_only=True)
class Settings:
    gateway: GatewaySettings
    websocket: WebSocketSettings
    keys: KeySettings
    limits: LimitSettings
    stores: StoreSettings
    models: ModelSettings
    upstream: UpstreamSettings
    cache: CacheSettings
    embedder: EmbedderSettings
    rag: RagSettings
    admin: AdminSettings
    sessions: SessionSettings
    tenants: TenantSettings
    ledger: LedgerSettings
    fairness: FairnessSettings
    logs: LogSettings
    embedded: EmbeddedSettings
    engine: EngineSettings
    variables: Mapping[str, str] = field(repr=False)
    """All of the environment, for what `models.yaml` refers to by name."""

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Settings:
        """Read `env_file` (if it exists) and the environment, which wins. Raises SettingsError."""
        loaded: dict[str, Any] = {}
        # All that is wrong at once; a dict, because two groups may read the same setting and say the same of it.
        problems: dict[str, None] = {}
        for name, group in GROUPS.items():
            try:
                loaded[name] = _load_group(group, env_file)
            except ValidationError as error:
                problems |= dict.fromkeys(_describe(error))
        if problems:
            raise SettingsError("; ".join(problems))
        return cls(**loaded, variables=_variables(env_file))


GROUPS: dict[str, type[Group]] = {
    "gateway": GatewaySettings,
    "websocket": WebSocketSettings,
    "keys": KeySettings,
    "limits": LimitSettings,
    "stores": StoreSettings,
    "models": ModelSettings,
    "upstream": UpstreamSettings,
    "cache": CacheSettings,
    "embedder": EmbedderSettings,
    "rag": RagSettings,
    "admin": AdminSettings,
    "sessions": SessionSettings,
    "tenants": TenantSettings,
    "ledger": LedgerSettings,
    "fairness": FairnessSettings,
    "logs": LogSettings,
    "embedded": EmbeddedSettings,
    "engine": EngineSettings,
}


def setting_names() -> set[str]:
    """Every environment variable that the platform reads."""
    return {name.upper() for group in GROUPS.values() for name in group.model_fields}


def load_embedded_settings(env_file: Path | None = Path(".env")) -> EmbeddedSettings:
    """This group alone, for commands that must work while another setting is wrong. Raises SettingsError."""
    try:
        return _load_group(EmbeddedSettings, env_file)
    except ValidationError as error:
        raise SettingsError("; ".join(_describe(error))) from None


def _load_group(group: type[_GroupT], env_file: Path | None) -> _GroupT:
    return group(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings takes it; its types do not say so


def _variables(env_file: Path | None) -> dict[str, str]:
    from_file = dotenv_values(env_file) if env_file is not None and env_file.is_file() else {}
    return {name: value for name, value in {**from_file, **os.environ}.items() if value is not None}


def _describe(error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        variable = ".".join(str(part) for part in problem["loc"]).upper()
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{variable}: {message}" if variable else message)
    return problems
