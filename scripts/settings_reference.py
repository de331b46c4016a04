"""Writes `.env.example` and `docs/reference/settings.md` from the settings themselves: `make reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.settings import GROUPS

ROOT = Path(__file__).resolve().parents[1]
# Commented out in .env.example although they have a default: the stack of `make up` and the one of Docker Compose set
# them to values of their own, which a copy of the file must not override.
SET_BY_EACH_STACK = frozenset(
    {"GATEWAY_HOST", "REDIS_URL", "DATABASE_URL", "MOCK_BASE_URL", "RAY_BASE_URL", "VLLM_BASE_URL", "DATA_DIR"}
)
# Read by docker-compose.*.yml alone: name -> default, meaning.
COMPOSE_ONLY = {
    "PLATFORM_VERSION": ("dev", "Tag of the platform's image."),
    "REDIS_PASSWORD": ("development", "Password of the Redis container."),
    "POSTGRES_PASSWORD": ("development", "Password of the Postgres container; kept from its first start on."),
    "GRAFANA_PASSWORD": ("development", "Password of Grafana's admin."),
    "GATEWAY_CPUS": ("2", "Cores for the gateway; also MOCK_, REDIS_, POSTGRES_, PROMETHEUS_, GRAFANA_, OTEL_CPUS."),
    "GATEWAY_MEMORY": (
        "1280m",
        "Memory for the gateway; also MOCK_, REDIS_, POSTGRES_, PROMETHEUS_, GRAFANA_, OTEL_MEMORY.",
    ),
    "GATEWAY_STOP_GRACE": ("45s", "Time the gateway has to stop: 15 s more than SHUTDOWN_TIMEOUT_S, or more."),
    "SCALING_MIN_REPLICAS": ("3", "Replicas of each engine at the least, in docker-compose.scaling.yml, as below."),
    "SCALING_MAX_REPLICAS": ("4", "Replicas of each engine at the most."),
    "SCALING_REPLICAS_PER_NODE": ("2", "Replicas of one engine on one worker at the most."),
    "RAY_AUTH_TOKEN": (
        "development-only-0123456789abcdef",
        "Secret by which Ray's nodes know one another, 32 characters or more: set your own.",
    ),
    "INSIDE_NETWORK": ("10.201.77", "First three numbers of the inner network."),
    "RAY_NODE_CPUS": ("2", "CPUs that Ray may hand out on each worker."),
    "RAY_REQUIREMENTS": ("requirements-ray.txt", "Requirements file that the image of a Ray node is built from."),
    "HF_TOKEN": ("", "Token for models that the hub gives only to known users; docker-compose.scaling.gpu.yml."),
}

_ENV_HEADER = """\
# Settings, with their defaults. Copy to .env and change what you need; the environment wins over .env.
# Written by `make reference` from api/settings/.
"""
_PAGE_HEADER = """\
# Settings

Read once at start, from `.env` and from the environment, which wins. An empty value means the default. What is wrong is
named in one line, all of it at once. Written by `make reference` from `api/settings/`.
"""
_TABLE_HEADER = "| setting | default | meaning |\n|---|---|---|\n"


@dataclass(frozen=True, kw_only=True)
class Setting:
    name: str
    default: str
    """As an environment variable says it; empty when there is none."""
    meaning: str


def settings_by_group() -> Iterator[tuple[str, list[Setting]]]:
    """Title and settings of each group; a setting that two groups read is listed in the first."""
    seen: set[str] = set()
    for group in GROUPS.values():
        settings = []
        for field, information in group.model_fields.items():
            name = field.upper()
            if name not in seen:
                seen.add(name)
                default = _as_text(information.default)
                settings.append(Setting(name=name, default=default, meaning=information.description or ""))
        yield (group.__doc__ or group.__name__).strip(), settings


def env_example() -> str:
    """The text of `.env.example`: copying it changes nothing."""
    parts = [_ENV_HEADER]
    for title, settings in settings_by_group():
        parts.append(f"\n# --- {title} ---\n")
        for setting in settings:
            commented = not setting.default or setting.name in SET_BY_EACH_STACK
            parts.append(f"# {setting.meaning}\n{'#' if commented else ''}{setting.name}={setting.default}\n")
    parts.append("\n# --- Docker Compose alone ---\n")
    parts += [f"# {meaning}\n#{name}={default}\n" for name, (default, meaning) in COMPOSE_ONLY.items()]
    return "".join(parts)


def settings_page() -> str:
    """The text of `docs/reference/settings.md`."""
    parts = [_PAGE_HEADER]
    for title, settings in settings_by_group():
        parts.append(f"\n## {title}\n\n{_TABLE_HEADER}")
        parts += [_row(setting.name, setting.default, setting.meaning) for setting in settings]
    parts.append(f"\n## Docker Compose alone\n\n{_TABLE_HEADER}")
    parts += [_row(name, default, meaning) for name, (default, meaning) in COMPOSE_ONLY.items()]
    return "".join(parts)


def generated_files(root: Path = ROOT) -> dict[Path, str]:
    return {root / ".env.example": env_example(), root / "docs" / "reference" / "settings.md": settings_page()}


def main() -> int:
    for path, text in generated_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)}")
    return 0


def _row(name: str, default: str, meaning: str) -> str:
    return f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |\n"


def _as_text(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, Enum):
        return str(default.value)
    return f"{default:g}" if isinstance(default, float) else str(default)


if __name__ == "__main__":
    sys.exit(main())
