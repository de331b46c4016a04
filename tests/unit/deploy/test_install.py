"""deploy/install.sh with a pip that only writes down what it is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def uninstalled(requirements: str, *, at: Path) -> list[str]:
    """What install.sh takes away again, where `requirements` are pinned."""
    (at / "requirements.txt").write_text(requirements)
    for name, text in {"venv/bin/pip": 'echo "$*" >>"$TOLD"', "bin/python": "exit 0"}.items():
        program = at / name
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    path = f"{at / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "VENV": str(at / "venv"), "TOLD": str(at / "told")}
    script = ["sh", str(ROOT / "deploy" / "install.sh"), "requirements.txt"]
    subprocess.run(script, cwd=at, env=environment, check=True)
    commands = [line.split() for line in (at / "told").read_text().splitlines()]
    assert [command[0] for command in commands] == ["install", "uninstall"]
    return [word for word in commands[1][1:] if not word.startswith("-")]


@pytest.mark.parametrize(
    ("requirements", "unneeded"),
    [
        ("msgspec==1.0 \\\n    --hash=sha256:00\n", ["pip", "setuptools"]),
        # PyTorch's CUDA build imports it: vLLM would not start without.
        ("torch==2.13.0\nsetuptools==84.2.1 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n", ["pip"]),
        ("setuptools-scm==8.0\n", ["pip", "setuptools"]),
    ],
)
def test_what_runs_installs_nothing_and_has_what_it_imports(
    requirements: str, unneeded: list[str], tmp_path: Path
) -> None:
    assert uninstalled(requirements, at=tmp_path) == unneeded


def test_the_requirements_for_gpus_pin_what_pytorch_imports() -> None:
    assert "\nsetuptools==" in (ROOT / "requirements-vllm-cuda.txt").read_text()
