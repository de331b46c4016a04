"""The servers a run compares, each started with the same upstream behind it and nothing else in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import KEY, gateway_command, module_command
from bench.overhead.upstream import MODEL
from bench.processes import Command
from bench.stores import Stores

DIRECT = "direct"
PASSTHROUGH = "pass-through"
LITELLM = "litellm"
GATEWAY = "gateway"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a server is to be run: its port, scratch folder, and the upstream's address (`http://host:port`)."""

    port: int
    directory: Path
    upstream: str


def upstream(port: int, directory: Path) -> Command:
    return module_command("upstream", "bench.overhead.upstream", ["--port", str(port)], directory)


def passthrough(site: Site) -> Command:
    arguments = ["--port", str(site.port), "--upstream", site.upstream]
    return module_command(PASSTHROUGH, "bench.overhead.passthrough", arguments, site.directory)


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
    """The platform's gateway in front of the upstream."""
    return gateway_command(
        port=site.port, directory=site.directory, upstream=f"{site.upstream}/v1", model=MODEL, stores=stores
    )
