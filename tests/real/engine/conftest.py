from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.engine.vllm_process import ENGINE_PYTHON, ROOT, vllm_server


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mistral of two layers with random weights."""
    assert ENGINE_PYTHON.exists(), "vLLM is not installed: run scripts/venv.sh vllm"
    folder = tmp_path_factory.mktemp("models") / "tiny-mistral"
    subprocess.run([ENGINE_PYTHON, "-m", "serving.tools.tiny_model", folder], cwd=ROOT, check=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def vllm_url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Root URL of a real vLLM that the tests share."""
    with vllm_server(tiny_model, tmp_path_factory.mktemp("vllm")) as url:
        yield url
