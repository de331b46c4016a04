"""What `python -m serving.serve_config` prints, read by Ray's own schema and deployed by Ray's own command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.ray.conftest import RAY_VENV, ROOT

pytestmark = pytest.mark.real

READ = """\
import sys, yaml
from ray.serve.schema import ServeDeploySchema
config = ServeDeploySchema.model_validate(yaml.safe_load(sys.stdin))
print([application.name for application in config.applications])
"""


def serve_config(*options: str) -> str:
    command = [str(RAY_VENV / "bin" / "python"), "-m", "serving.serve_config", *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--models-file", "models.yaml", "--engine", "mock", "--min-replicas", "0", "--scale-to-zero"),
        ("--engine", "vllm", "--preset", "cpu-tiny", "--max-replicas", "1"),
        ("--engine", "vllm", "--preset", "mistral-7b-a100", "--set", "tensor_parallel_size=2"),
    ],
)
def test_rays_schema_takes_it(options: tuple[str, ...]) -> None:
    command = [str(RAY_VENV / "bin" / "python"), "-W", "error::UserWarning", "-c", READ]
    read = subprocess.run(command, input=serve_config(*options), capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert read.stdout.strip() in ("['mock']", "['ray']")


def test_serve_deploy_takes_it(ray_cluster: Any, until: Callable[..., float], tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    options = ("--models-file", "models.yaml", "--engine", "mock", "--ingress-port", str(ray_cluster.ingress_port))
    file.write_text(serve_config(*options, "--max-replicas", "1"), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # it imports the autoscaling policy
    command = [str(RAY_VENV / "bin" / "serve"), "deploy", "--address", ray_cluster.dashboard, str(file)]
    deployed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)
    assert deployed.returncode == 0, deployed.stderr
    until(lambda: ray_cluster.application("mock").get("status") == "RUNNING", "the application to run")
    until(lambda: httpx.get(f"{ray_cluster.ingress}/v1/models").status_code == 200, "the ingress to know it")
    names = [model["id"] for model in httpx.get(f"{ray_cluster.ingress}/v1/models").json()["data"]]
    assert names == ["finsight-accurate", "finsight-fast", "mock-embedding"]
