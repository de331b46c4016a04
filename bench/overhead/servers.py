"""The servers a run compares, each started with the same upstream behind it and nothing else in common."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.overhead.upstream import MODEL
from bench.processes import Command
from bench.stores import Stores

REPOSITORY = Path(__file__).resolve().parents[2]
# Long and random-looking, for LiteLLM refuses weak keys. It opens nothing but the servers of one run.
KEY = "sk-bench-9f2c41d7a6b85e03c1947fd2e8ab6035"

DIRECT = "direct"
PASSTHROUGH = "pass-through"
LITELLM = "litellm"
GATEWAY = "gateway"

# High enough that no request of a run is ever refused, so the limiter does its whole work and always says yes.
_UNREACHED_LIMIT = "1000000000"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a server is to be run: its port, scratch folder, and the upstream's address (`http://host:port`)."""

    port: int
    directory: Path
    upstream: str


def upstream(port: int, directory: Path) -> Command:
    return _module("upstream", "bench.overhead.upstream", ["--port", str(port)], directory)


def passthrough(site: Site) -> Command:
    arguments = ["--port", str(site.port), "--upstream", site.upstream]
    return _module(PASSTHROUGH, "bench.overhead.passthrough", arguments, site.directory)


def litellm(site: Site, *, executable: Path) -> Command:
    """LiteLLM's proxy with one worker as a plain proxy: one master key, no database, no call-backs, no telemetry."""
    model = {"model": f"openai/{MODEL}", "api_base": f"{site.upstream}/v1", "api_key": KEY}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": model}],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    path = site.directory / "litellm.json"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    arguments = ["--config", str(path), "--host", "127.0.0.1", "--port", str(site.port), "--num_workers", "1"]
    return Command(
        name=LITELLM,
        arguments=[str(executable), *arguments],
        environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": KEY},
        directory=site.directory,
    )


def gateway(site: Site, *, stores: Stores) -> Command:
    """The platform's gateway as production runs it, one worker: keys, limits, ledger and JSON access log all on."""
    environment = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(site.port),
        "WORKERS": "1",
        "MAX_INFLIGHT_PER_WORKER": "4096",
        "API_KEYS": f"{KEY}:bench",
        "RATE_LIMIT_RPM": _UNREACHED_LIMIT,
        "RATE_LIMIT_TPM": _UNREACHED_LIMIT,
        "MODEL_BACKEND": "openai",
        "UPSTREAM_BASE_URL": f"{site.upstream}/v1",
        "UPSTREAM_MODEL": MODEL,
        "UPSTREAM_API_KEY": KEY,
        "REDIS_URL": stores.redis_url,
        "DATABASE_URL": stores.database_url,
        "DATA_DIR": str(site.directory / "data"),
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
    }
    return _module(GATEWAY, "api", [], site.directory, environment)


def _module(
    name: str, module: str, arguments: list[str], directory: Path, environment: dict[str, str] | None = None
) -> Command:
    # Run away from the repository, so that no `.env` of the developer changes what is measured.
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    return Command(
        name=name,
        arguments=[sys.executable, "-m", module, *arguments],
        environment={**(environment or {}), "PYTHONPATH": path},
        directory=directory,
    )
