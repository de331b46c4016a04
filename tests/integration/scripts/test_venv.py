"""`scripts/venv.sh`, which every make target runs first: what it says when it cannot, and when it does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that asks for no package."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "venv.sh", tmp_path / "scripts")
    for kind in ("core", "dev"):
        (tmp_path / f"requirements-{kind}.txt").write_text("# nothing\n")
    return tmp_path


def run(checkout: Path, kind: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "venv.sh", kind],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_missing_python_is_named_with_what_to_install(checkout: Path) -> None:
    result = run(checkout, "core", PYTHON="python3.99")
    assert result.returncode == 1
    assert result.stderr.startswith("python3.99 is missing: install Python 3.11")
    assert "apt-get install python3.11" in result.stderr


def test_another_program_is_not_taken_for_python(checkout: Path) -> None:
    result = run(checkout, "core", PYTHON="false")
    assert result.returncode == 1
    assert result.stderr == "false is not Python 3.11: set PYTHON to one that is.\n"


def test_it_installs_once_and_again_when_the_requirements_change(checkout: Path) -> None:
    python = shutil.which("python3.11")
    assert python is not None, "these tests run on Python 3.11"
    first = run(checkout, "dev", PYTHON=python)
    assert first.returncode == 0, first.stderr
    assert "Installing requirements-dev.txt" in first.stdout
    # The development set holds the core set.
    for kind in ("dev", "core"):
        again = run(checkout, kind, PYTHON=python)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    (checkout / "requirements-core.txt").write_text("# changed\n")
    assert "Installing requirements-core.txt" in run(checkout, "core", PYTHON=python).stdout


def test_a_package_without_its_hash_is_refused_and_the_log_named(checkout: Path) -> None:
    python = shutil.which("python3.11")
    assert python is not None, "these tests run on Python 3.11"
    (checkout / "requirements-core.txt").write_text("packaging==26.3\n")
    result = run(checkout, "core", PYTHON=python)
    assert result.returncode == 1
    assert "Installing requirements-core.txt failed: see .venv/install.log" in result.stderr
    assert "hash" in (checkout / ".venv" / "install.log").read_text().lower()
