"""Every command of docs/howto/semantic-cache.md, word for word and in its order, on a gateway with its defaults."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.settings import setting_names
from tests.acceptance.gateway.processes import ROOT, Engine, Gateway, GatewayFactory, eventually

PAGE = (ROOT / "docs/howto/semantic-cache.md").read_text("utf-8")
# A block of commands, and what is shown below it, if anything is.
BLOCKS = re.findall(r"^```bash\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", PAGE, re.DOTALL | re.MULTILINE)
ADMIN_KEY = "how-to-admin-key-1"


@pytest.fixture(scope="module")
def fresh(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        ADMIN_API_KEY=ADMIN_KEY,
        API_KEYS="dev-key:finsight",
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    gateways.stop(gateway)


def run(commands: str, gateway: Gateway, directory: Path) -> subprocess.CompletedProcess[str]:
    for shown, here in (("http://localhost:8000", gateway.url), (".venv/bin/python", sys.executable)):
        commands = commands.replace(shown, here)
    environment = {name: value for name, value in os.environ.items() if name not in setting_names()}
    own = {"GATEWAY_PORT": str(gateway.port), "ADMIN_API_KEY": ADMIN_KEY, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        env={**environment, **own},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_command_does_what_the_page_says(fresh: Gateway, engine: Engine, tmp_path: Path) -> None:
    assert engine.process.is_running()
    assert len(BLOCKS) >= 5
    said = ""
    for commands, shown in BLOCKS:
        done = run(commands, fresh, tmp_path)
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        if shown:
            assert done.stdout.replace("\r", "").lower() == shown
        said += done.stdout
    # What was asked first, in two quarters, is removed by the first two purges.
    assert "Removed 2 answers of finsight tagged entity:Norvane Labs" in said
    assert "* periods" in said
    assert "verdict: different" in said
