"""The tools that look at servers from outside, against an engine in a Ray Serve replica behind HAProxy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.engine_settings import EngineSettings
from serving.serve_deployments import EngineDeployment
from tests.integration.serving.tools.command import run_tool

pytestmark = pytest.mark.real


@pytest.fixture
def address(ray_cluster: Any, until: Callable[..., float]) -> str:
    """Of one MockLLM replica, ten times as fast as the machine that it models; `/v1` and `/metrics` are below it."""
    one = {"min_replicas": 1, "max_replicas": 1, "market_hours": False, "market_hours_min_replicas": 1}
    settings = EngineSettings(name="tools", kind="mock", models=("tools",), set={"time_scale": 10})
    ray_cluster.deploy(EngineDeployment(settings=settings, route_prefix="/tools", autoscaling=one))
    found = f"{ray_cluster.ingress}/tools"
    until(lambda: httpx.get(f"{found}/health").status_code == 200, "the ingress to know the replica")
    return found


def test_an_engine_in_a_replica_passes_validation(address: str, tmp_path: Path) -> None:
    finished = run_tool("validate_deployment", f"{address}/v1", "--metrics-url", f"{address}/metrics", folder=tmp_path)
    outcomes = {check["name"]: check["outcome"] for check in finished.document["checks"]}
    assert outcomes.pop("authentication") == "unsupported", finished.out  # keys are the gateway's
    assert set(outcomes.values()) == {"passed"}, finished.out
    assert finished.code == 0


def test_an_engine_in_a_replica_is_measured(address: str, tmp_path: Path) -> None:
    finished = run_tool(
        "benchmark_inference", "--base-url", f"{address}/v1", "--concurrency", "1,8", "--requests", "16",
        "--output-tokens", "32", folder=tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.out + finished.err
    assert [level["answered"] for level in finished.document["levels"]] == [16, 16]
    assert [level["output_tokens"] for level in finished.document["levels"]] == [32, 32]
