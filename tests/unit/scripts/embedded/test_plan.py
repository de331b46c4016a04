"""Whoever stops the gateway gives it the time that it says it needs, or bills are lost to a SIGKILL."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import yaml

from api import bootstrap
from api.routes import completions
from api.settings import GatewaySettings, Settings, setting_names
from api.tenants.ledger import PostgresLedger
from observability import logging as logs
from scripts.embedded.plan import build_stages
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import StackSettings

ROOT = Path(__file__).resolve().parents[4]
PORTS = Ports(redis=1, postgres=2, mock=3, mock_admin=4, vllm=5, nginx=6, gateway_1=7, gateway_2=8, ray=100)


def longest_end_s() -> float:
    """From the deadline for open streams until the last usage row is on disk and the last line is logged."""
    ledger = inspect.signature(PostgresLedger).parameters["close_timeout_s"].default
    return max(bootstrap._SETTLE_S, completions._LAST_WORDS_S) + float(ledger) + 2 * logs._LAST_WORDS_S


@pytest.mark.parametrize("shutdown_timeout_s", [1, 30, 300])
def test_the_embedded_stack_waits_for_the_gateways_end(
    shutdown_timeout_s: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHUTDOWN_TIMEOUT_S", str(shutdown_timeout_s))
    stack = StackSettings(
        env_file=tmp_path / ".env", root=ROOT, data_dir=tmp_path, settings=Settings.load(None), environment={}
    )
    stages = build_stages(stack, PORTS)
    [gateway] = [service for stage in stages for service in stage if service.name == "gateway"]
    # Twice: a disk may be slow, and the processes have to end too.
    assert gateway.stop_timeout_s >= shutdown_timeout_s + 2 * longest_end_s()


def test_compose_waits_for_the_gateways_end() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.serving.yml").read_text(encoding="utf-8"))
    grace = re.fullmatch(r"\$\{GATEWAY_STOP_GRACE:-(\d+)s\}", compose["services"]["gateway"]["stop_grace_period"])
    assert grace is not None
    shutdown_timeout_s = GatewaySettings.model_fields["shutdown_timeout_s"].default
    assert int(grace[1]) >= shutdown_timeout_s + 2 * longest_end_s()
