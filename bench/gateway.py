"""The gateway under test, and how a run starts modules of this repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.processes import Command
from bench.stores import Stores

REPOSITORY = Path(__file__).resolve().parents[1]
# Long and random-looking, for LiteLLM refuses weak keys. It opens nothing but the servers of one run.
KEY = "sk-bench-9f2c41d7a6b85e03c1947fd2e8ab6035"

# High enough that no request of a run is ever refused, so the limiter does its whole work and always says yes.
_UNREACHED_LIMIT = "1000000000"


def gateway_command(
    *,
    port: int,
    directory: Path,
    upstream: str,
    model: str,
    stores: Stores,
    settings: Mapping[str, str] | None = None,
) -> Command:
    """The platform's gateway as production runs it, one worker: keys, limits, ledger and JSON access log all on.

    `upstream`: the base URL of the engine, up to and with `/v1`; `model`: its name there. The answer cache is off,
    because what is measured is the way to an engine; `settings` that differ from all this come last.
    """
    environment = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "WORKERS": "1",
        "MAX_INFLIGHT_PER_WORKER": "4096",
        "API_KEYS": f"{KEY}:bench",
        "RATE_LIMIT_RPM": _UNREACHED_LIMIT,
        "RATE_LIMIT_TPM": _UNREACHED_LIMIT,
        "MODEL_BACKEND": "openai",
        "UPSTREAM_BASE_URL": upstream,
        "UPSTREAM_MODEL": model,
        "UPSTREAM_API_KEY": KEY,
        "REDIS_URL": stores.redis_url,
        "DATABASE_URL": stores.database_url,
        "DATA_DIR": str(directory / "data"),
        # Every request of a run is the same, and each is to reach the engine.
        "SEMANTIC_CACHE_ENABLED": "false",
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        **(settings or {}),
    }
    return module_command("gateway", "api", [], directory, environment)


def module_command(
    name: str, module: str, arguments: list[str], directory: Path, environment: dict[str, str] | None = None
) -> Command:
    """One of ours, in this interpreter."""
    # Run away from the repository, so that no `.env` of the developer changes what is measured.
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    return Command(
        name=name,
        arguments=[sys.executable, "-m", module, *arguments],
        environment={**(environment or {}), "PYTHONPATH": path},
        directory=directory,
    )
