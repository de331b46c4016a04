"""`.ci/run` gives nothing of the machine to what it runs but what programs need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from api.settings import setting_names
from scripts.settings_reference import COMPOSE_ONLY

ROOT = Path(__file__).resolve().parents[3]
# What the script looks for on the machine, and would install.
PROGRAMS = ("make", "git", "curl", "pgrep", "setpriv", "python3.11")
OF_TESTS = {"BASE_URL", "API_KEY", "ARGS", "MAKEFLAGS", "PYTEST_ADDOPTS", "COMPOSE_FILE", "HYPOTHESIS_PROFILE"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script with programs that write down the environment they get."""
    for folder in (".ci", "scripts", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".ci/run").write_bytes((ROOT / ".ci/run").read_bytes())
    for program in (*(f"bin/{name}" for name in PROGRAMS), "scripts/check_quickstart.sh"):
        path = tmp_path / program
        path.write_text(f'#!/bin/bash\necho "{program} $*" >>"{tmp_path}/ran"\nenv -0 >"{tmp_path}/environment"\n')
        path.chmod(0o755)
    return tmp_path


def run(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{checkout}/bin:{os.environ['PATH']}", **variables}
    command = ["bash", ".ci/run"]
    return subprocess.run(
        command, cwd=checkout, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def given(checkout: Path) -> dict[str, str]:
    """What the last program had for an environment."""
    entries = (checkout / "environment").read_text("utf-8").split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_no_setting_of_the_machine_reaches_what_is_tested(checkout: Path) -> None:
    decisive = setting_names() | COMPOSE_ONLY.keys() | OF_TESTS
    result = run(checkout, **dict.fromkeys(decisive, "of the machine"))
    assert result.returncode == 0, result.stderr
    assert decisive & given(checkout).keys() == set()


def test_what_programs_need_stays(checkout: Path) -> None:
    needed = {"CI": "true", "HOME": "/nowhere", "LANG": "C.UTF-8", "PIP_INDEX_URL": "http://mirror", "https_proxy": "p"}
    result = run(checkout, **needed)
    assert result.returncode == 0, result.stderr
    assert needed.items() <= given(checkout).items()


def test_the_make_targets_that_people_use_are_what_runs(checkout: Path) -> None:
    assert run(checkout).returncode == 0
    assert (checkout / "ran").read_text("utf-8").splitlines() == [
        "bin/make check",
        "bin/make test",
        "scripts/check_quickstart.sh ",
        "bin/make test-real",
    ]


def test_an_env_file_is_refused(checkout: Path) -> None:
    (checkout / ".env").write_text("WORKERS=1\n", encoding="utf-8")
    result = run(checkout)
    assert result.returncode == 1
    assert "There is a .env" in result.stderr
    assert not (checkout / "ran").exists()
