"""`scripts/nginx.sh` on machines with an Nginx, with none, and with no way to get one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.embedded.nginx_server import REPOSITORY

# What the script calls before it looks for a package.
BASIC_TOOLS = ("dirname", "mkdir")
# So that a machine with Nginx tests the same as one without.
NO_NGINX_BESIDE = {**os.environ, "NGINX_CANDIDATES": ""}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "nginx.sh", tmp_path / "scripts")
    return tmp_path


def run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", checkout / "scripts" / "nginx.sh"],
        env={**NO_NGINX_BESIDE, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def only(directory: Path, *tools: str) -> str:
    """A PATH with nothing but these."""
    directory.mkdir(exist_ok=True)
    for tool in tools:
        found = shutil.which(tool)
        assert found is not None
        (directory / tool).symlink_to(found)
    return str(directory)


def test_an_installed_one_is_taken(checkout: Path) -> None:
    installed = program(checkout / "installed" / "nginx", "exit 0")
    result = run(checkout, PATH=f"{installed.parent}:{os.environ['PATH']}")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{installed}\n", "")
    assert not (checkout / ".venv-nginx").exists()


def test_one_that_was_unpacked_is_taken_without_apt(checkout: Path) -> None:
    unpacked = program(checkout / ".venv-nginx" / "nginx", "exit 0")
    result = run(checkout, PATH=only(checkout / "bin", *BASIC_TOOLS))
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{unpacked}\n", "")


def test_without_apt_it_says_what_to_do(checkout: Path) -> None:
    broken = program(checkout / "broken" / "nginx", "exit 1")
    result = run(checkout, PATH=f"{broken.parent}:{only(checkout / 'bin', *BASIC_TOOLS)}")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "nginx.sh: Nginx is missing, and there is no apt-get to download it with: "
        "install Nginx 1.20 or newer and put it on the PATH.\n"
    )


def test_a_download_that_fails_is_told_with_its_log(checkout: Path) -> None:
    broken = program(checkout / "broken" / "apt-get", "echo 'E: no network' >&2; exit 100").parent
    result = run(checkout, PATH=f"{broken}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert result.stdout == ""
    log = checkout / ".venv-nginx" / "download.log"
    assert f"Nginx could not be downloaded, see {log}: install it (apt-get install nginx)" in result.stderr
    assert "E: no network" in log.read_text()
    # Nothing is left that looks finished.
    assert not (checkout / ".venv-nginx" / "nginx").exists()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt to download it with")
def test_two_at_once_download_one_that_runs(checkout: Path) -> None:
    script = ["/bin/sh", str(checkout / "scripts" / "nginx.sh")]
    broken = program(checkout / "broken" / "nginx", "exit 1")
    env = {**NO_NGINX_BESIDE, "PATH": f"{broken.parent}:{os.environ['PATH']}"}
    both = [
        subprocess.Popen(script, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    unpacked = checkout / ".venv-nginx" / "nginx"
    assert [(process.returncode, out) for process, (out, _) in zip(both, said, strict=True)] == [
        (0, f"{unpacked}\n")
    ] * 2
    assert sorted(bool(error) for _, error in said) == [False, True]  # one downloaded
    version = subprocess.run([unpacked, "-V"], check=True, capture_output=True, text=True).stderr
    assert version.startswith("nginx version: nginx/1.")
