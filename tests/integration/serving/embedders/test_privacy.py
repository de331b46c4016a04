"""ONNX Runtime sends usage data to its vendor unless it is told not to before it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
SERVE = """
import asyncio, pathlib, sys
from serving.embedders.minilm_onnx import MiniLMEmbedder

async def main():
    embedder = MiniLMEmbedder(pathlib.Path(sys.argv[1]))
    await embedder.start()
    await embedder.embed(["net income"], timeout_s=30)
    await embedder.aclose()

asyncio.run(main())
"""
BUILD = """
import scripts.embedding_model.build
from onnxruntime.quantization import quantize_dynamic
"""


@pytest.mark.parametrize("program", [SERVE, BUILD], ids=["serving", "set-up"])
def test_it_makes_no_identifier_and_keeps_nothing_to_send(program: str, minilm_dir: Path, tmp_path: Path) -> None:
    """Both lie in the user's cache folder, without which nothing is sent."""
    # Variables by which it would keep quiet under test anyway, or look elsewhere.
    others = ("CI", "ORT_", "XDG_", "GITHUB", "BUILD")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    command = [sys.executable, "-B", "-c", program, str(minilm_dir)]
    subprocess.run(command, cwd=ROOT, env={**environment, "HOME": str(tmp_path)}, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
