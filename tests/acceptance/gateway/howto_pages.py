"""The commands of a how-to page, run word for word against a gateway."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from api.settings import setting_names
from tests.acceptance.gateway.processes import ROOT, Gateway


def blocks_of(page: str) -> list[tuple[str, str]]:
    """Each block of commands of `docs/howto/…`, and what is shown below it, "" if nothing is."""
    text = (ROOT / "docs/howto" / page).read_text("utf-8")
    return re.findall(r"^```bash\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", text, re.DOTALL | re.MULTILINE)


def run(commands: str, gateway: Gateway, directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """`settings`: for commands that read them."""
    for shown, here in (("http://localhost:8000", gateway.url), (".venv/bin/python", sys.executable)):
        commands = commands.replace(shown, here)
    environment = {name: value for name, value in os.environ.items() if name not in setting_names()}
    own = {"GATEWAY_PORT": str(gateway.port), "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        env={**environment, **own},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def said_by(blocks: list[tuple[str, str]], gateway: Gateway, directory: Path, **settings: str) -> str:
    """What all of them write, each of which must say what the page shows; in headers case means nothing."""
    said = ""
    for commands, shown in blocks:
        done = run(commands, gateway, directory, **settings)
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        if shown:
            assert done.stdout.replace("\r", "").lower() == shown.lower()
        said += done.stdout
    return said
