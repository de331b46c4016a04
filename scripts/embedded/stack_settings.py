"""The settings of one embedded stack, read once: every process gets the same ones, also when it is restarted later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.settings import GROUPS, EmbeddedSettings, Settings

ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
# Names every process of the stack by its data folder, so that orphans can be told from other people's processes.
MARKER = "AI_SERVING_STACK"


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    root: Path
    """The checkout: where services run and relative paths start."""
    env_file: Path
    data_dir: Path
    settings: Settings
    environment: Mapping[str, str]
    """For every process of the stack: `.env`, the environment over it, and each setting's effective value."""

    @property
    def host(self) -> str:
        """Where clients on this machine reach the gateway."""
        host = self.settings.gateway.gateway_host
        return ALL_INTERFACES.get(host, host)

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    def digests(self) -> dict[str, str]:
        """Setting name -> digest of its value: equal digests, equal values; secrets stay secret."""
        salt = str(self.data_dir).encode()
        return {
            name: hashlib.blake2b(value.encode(), key=salt[:64], digest_size=8).hexdigest()
            for name, value in effective_values(self.settings).items()
        }


def load_stack_settings(*, root: Path, env_file: Path) -> StackSettings:
    """Raises SettingsError."""
    settings = Settings.load(env_file)
    data_dir = resolve_data_dir(settings.embedded, root=root)
    environment = {
        **settings.variables,
        **effective_values(settings),
        "DATA_DIR": str(data_dir),
        "PYTHONUNBUFFERED": "1",
        MARKER: str(data_dir),
    }
    return StackSettings(root=root, env_file=env_file, data_dir=data_dir, settings=settings, environment=environment)


def resolve_data_dir(embedded: EmbeddedSettings, *, root: Path) -> Path:
    return (root / embedded.data_dir.expanduser()).resolve()


def effective_values(settings: Settings) -> dict[str, str]:
    """Setting name -> value as an environment variable says it; settings without a value are left out."""
    values: dict[str, str] = {}
    for group_name, group in GROUPS.items():
        loaded = getattr(settings, group_name)
        for field in group.model_fields:
            text = _as_text(getattr(loaded, field))
            if text:
                values[field.upper()] = text
    return values


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value)
