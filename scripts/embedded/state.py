"""What runs, written by the supervisor for `up`, `status` and `down`: one JSON file in the data folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from scripts.embedded.processes import ProcessIdentity

FILE_NAME = "stack.json"


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


class ServicePhase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    name: str
    port: int
    log_file: str
    phase: ServicePhase = ServicePhase.STARTING
    process: ProcessIdentity | None = None
    restarts: int = 0
    started_at: float = 0.0
    """Seconds since 1970; of the present process."""
    last_exit: str = ""
    start_timeout_s: float = 60.0
    """How long its start may take."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    phase: Phase
    supervisor: ProcessIdentity
    host: str
    """Where clients on this machine reach the gateway."""
    gateway_port: int
    settings: dict[str, str] = field(default_factory=dict)
    """Setting name -> digest of its value, to tell which ones changed."""
    start_timeout_s: float = 0.0
    """How long its services may take to start, all together."""
    stop_timeout_s: float = 0.0
    """How long its services may take to end, all together."""
    message: str = ""
    services: tuple[ServiceState, ...] = ()

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.gateway_port}/v1"

    def service(self, name: str) -> ServiceState | None:
        return next((service for service in self.services if service.name == name), None)

    def write(self, data_dir: Path) -> None:
        """Atomically: readers see the old file or the new one."""
        new = data_dir / f"{FILE_NAME}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
        new.replace(data_dir / FILE_NAME)

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        """None when nothing was started from this data folder, or the file is not one of this version's."""
        try:
            raw = json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8"))
            services = tuple(_service(entry) for entry in raw.pop("services"))
            supervisor = ProcessIdentity(**raw.pop("supervisor"))
            return cls(supervisor=supervisor, services=services, phase=Phase(raw.pop("phase")), **raw)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def _service(entry: dict[str, Any]) -> ServiceState:
    process = entry.pop("process")
    phase = ServicePhase(entry.pop("phase"))
    return ServiceState(process=ProcessIdentity(**process) if process else None, phase=phase, **entry)
