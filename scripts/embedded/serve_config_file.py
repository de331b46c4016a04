"""What Ray Serve is to run, as `python -m serving.serve_config` writes it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.embedded.service import ServiceError

_TIMEOUT_S = 60.0


@dataclass(kw_only=True)
class ServeConfigFile:
    """Written once for the life of a stack: a restarted head gets what the first one got, whatever changed since."""

    path: Path
    command: Sequence[str]
    environment: Mapping[str, str]
    _written: bool = field(default=False, init=False)

    def write_once(self) -> None:
        """Raises ServiceError, with what the command says, and subprocess.TimeoutExpired."""
        if self._written:
            return
        made = subprocess.run(  # noqa: S603  # our own module
            list(self.command),
            env=dict(self.environment),
            check=False,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        if made.returncode:
            said = "; ".join(line.strip() for line in made.stderr.strip().splitlines()[-5:])
            raise ServiceError(f"ray has nothing to serve: {said or f'exit status {made.returncode}'}")
        self.path.write_text(made.stdout, encoding="utf-8")
        self._written = True

    def read(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        return config
