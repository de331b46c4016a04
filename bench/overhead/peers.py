"""Installs the peers that come from a registry, each in a git-ignored virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.gateway import REPOSITORY

LITELLM_REQUIREMENT = "litellm[proxy]==1.109.1"
LITELLM_FOLDER = REPOSITORY / ".venv-litellm"
LITELLM_EXECUTABLE = LITELLM_FOLDER / "bin" / "litellm"
_UV_REQUIREMENT = "uv==0.13.8"
_OVERRIDES = Path(__file__).with_name("litellm-overrides.txt")
_MARKER = LITELLM_FOLDER / ".installed"


def install_litellm() -> None:
    """Create `.venv-litellm`, or do nothing where this version is there already. Raises CalledProcessError."""
    if _MARKER.exists() and _MARKER.read_text(encoding="utf-8") == LITELLM_REQUIREMENT:
        print(f"{LITELLM_REQUIREMENT} is installed in {LITELLM_FOLDER.name}")
        return
    python = LITELLM_FOLDER / "bin" / "python"
    _call(sys.executable, "-m", "venv", str(LITELLM_FOLDER))
    # pip cannot override a pin inside a dependency; uv can.
    _call(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _UV_REQUIREMENT)
    uv = [str(python), "-m", "uv", "pip", "install", "--quiet", "--system-certs", "--python", str(python)]
    _call(*uv, "--override", str(_OVERRIDES), LITELLM_REQUIREMENT)
    _MARKER.write_text(LITELLM_REQUIREMENT, encoding="utf-8")
    print(f"{LITELLM_REQUIREMENT} installed in {LITELLM_FOLDER.name}")


def _call(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603  # the command lines above, nothing from outside
