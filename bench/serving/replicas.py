"""How many replicas Ray Serve runs, from its own REST interface."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """Those of the Ray node whose dashboard listens on that port. `token_file` holds Ray's access token."""

    dashboard: int
    token_file: Path

    def running(self) -> int:
        """How many take requests. Raises OSError where Ray does not answer."""
        return count_running(self._applications())

    def _applications(self) -> dict[str, Any]:
        request = urllib.request.Request(  # http on loopback
            f"http://127.0.0.1:{self.dashboard}/api/serve/applications/",
            headers={"Authorization": f"Bearer {self.token_file.read_text(encoding='ascii')}"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # idem
            applications: dict[str, Any] = json.load(answer)["applications"]
            return applications


def count_running(applications: dict[str, Any]) -> int:
    """Replicas in state RUNNING, of all deployments."""
    return sum(
        replica["state"] == "RUNNING"
        for application in applications.values()
        for deployment in application.get("deployments", {}).values()
        for replica in deployment["replicas"]
    )
