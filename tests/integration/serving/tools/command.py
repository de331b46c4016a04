"""Runs a command-line tool as its users do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 90


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str
    document: Any
    """What it wrote as JSON; None if it wrote none."""


def run_tool(name: str, *arguments: str, folder: Path, standard_input: str | None = None) -> Finished:
    """`python -m serving.tools.NAME …`, with its JSON in a file of `folder`."""
    target = folder / "result.json"
    target.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", f"serving.tools.{name}", *arguments, "--json", str(target)],
        input=standard_input,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    document = json.loads(target.read_text()) if target.exists() else None
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr, document=document)
