"""What a stack is made of; and that whoever stops the gateway gives it the time that it says it needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from api import bootstrap
from api.routes import completions
from api.settings import GatewaySettings, Settings, setting_names
from api.tenants.ledger.usage_ledger import CLOSE_TIMEOUT_S
from observability import logging as logs
from scripts.embedded.plan import build_stages
from scripts.embedded.service import Service
from scripts.embedded.short_folder import forget_short_name
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import StackSettings

ROOT = Path(__file__).resolve().parents[4]
PORTS = Ports(redis=1, postgres=2, mock=3, mock_admin=4, vllm=5, nginx=6, gateway_1=7, gateway_2=8, ray=100)


def stages_with(folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[list[Service]]:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(None)
    stack = StackSettings(
        env_file=folder / ".env", root=ROOT, data_dir=folder, settings=settings, environment=variables
    )
    return build_stages(stack, PORTS)


def test_vllm_stands_where_the_gateway_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, [vllm, gateway] = stages_with(tmp_path, monkeypatch, MODEL_BACKEND="vllm", VLLM_PRESET="cpu-tiny")
    assert vllm.command[0] == str(ROOT / ".venv-vllm" / "bin" / "python")
    environment = gateway.environment or {}
    assert environment["VLLM_BASE_URL"] == f"http://127.0.0.1:{PORTS.vllm}/v1"
    given = dict(zip(vllm.command, vllm.command[1:], strict=False))
    assert given["--port"] == str(PORTS.vllm)
    assert given["--served-model-name"] == environment["UPSTREAM_MODEL"] == "tiny-mistral"
    # Minutes: a model is loaded, on a machine with a GPU first downloaded.
    assert vllm.start_timeout_s >= 600


@pytest.mark.parametrize(("backend", "name"), [("ray", "ray"), ("vllm", "vllm")])
def test_no_key_of_the_shell_closes_the_engine_to_its_gateway(
    backend: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = stages_with(
        tmp_path, monkeypatch, MODEL_BACKEND=backend, VLLM_PRESET="cpu-tiny", VLLM_API_KEY="a-key-of-the-shell"
    )
    [engine] = [service for stage in stages for service in stage if service.name == name]
    assert engine.environment is not None
    assert "VLLM_API_KEY" not in engine.environment


def test_ray_gets_two_gateways_behind_nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        _, services = stages_with(tmp_path, monkeypatch, MODEL_BACKEND="ray", GATEWAY_HOST="0.0.0.0")
    finally:
        forget_short_name(tmp_path / "ray")
    # Stopped from the end: the gateways while Nginx and the engine behind it still serve their open streams.
    assert [service.name for service in services] == ["ray", "nginx", "gateway-1", "gateway-2"]
    ray, nginx, *gateways = services
    for gateway, port in zip(gateways, (PORTS.gateway_1, PORTS.gateway_2), strict=True):
        environment = gateway.environment or {}
        assert (environment["GATEWAY_HOST"], environment["GATEWAY_PORT"]) == ("127.0.0.1", str(port))
        assert environment["GATEWAY_REPLICAS"] == "2"
        assert environment["RAY_BASE_URL"] == f"http://127.0.0.1:{PORTS.nginx}/v1"
    nginx.prepare()
    topology = tmp_path / "nginx" / "topology"
    assert "listen 0.0.0.0:8000 " in (topology / "edge.conf").read_text()
    assert f"server 127.0.0.1:{ray.port} " in (topology / "upstreams.conf").read_text()


@pytest.mark.parametrize("backend", ["ray", "vllm"])
def test_an_engine_of_ones_own_is_used(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = {"MODEL_BACKEND": backend, f"{backend.upper()}_BASE_URL": "http://gpu:8000/v1"}
    _, services = stages_with(tmp_path, monkeypatch, **address)
    assert [service.name for service in services] == ["gateway"]


def test_whoever_counts_more_gateways_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        _, services = stages_with(tmp_path, monkeypatch, MODEL_BACKEND="ray", GATEWAY_REPLICAS="6")
    finally:
        forget_short_name(tmp_path / "ray")
    assert (services[-1].environment or {})["GATEWAY_REPLICAS"] == "6"


def longest_end_s() -> float:
    """From the deadline for open streams until the last usage row is on disk and the last line is logged."""
    return max(bootstrap._SETTLE_S, completions._LAST_WORDS_S) + CLOSE_TIMEOUT_S + 2 * logs._LAST_WORDS_S


@pytest.mark.parametrize("shutdown_timeout_s", [1, 30, 300])
def test_the_embedded_stack_waits_for_the_gateways_end(
    shutdown_timeout_s: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = stages_with(tmp_path, monkeypatch, SHUTDOWN_TIMEOUT_S=str(shutdown_timeout_s))
    [gateway] = [service for stage in stages for service in stage if service.name == "gateway"]
    # Twice: a disk may be slow, and the processes have to end too.
    assert gateway.stop_timeout_s >= shutdown_timeout_s + 2 * longest_end_s()


def test_compose_waits_for_the_gateways_end() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.serving.yml").read_text(encoding="utf-8"))
    grace = re.fullmatch(r"\$\{GATEWAY_STOP_GRACE:-(\d+)s\}", compose["services"]["gateway"]["stop_grace_period"])
    assert grace is not None
    shutdown_timeout_s = GatewaySettings.model_fields["shutdown_timeout_s"].default
    assert int(grace[1]) >= shutdown_timeout_s + 2 * longest_end_s()
