"""Services of the local stack, started for a run and ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.embedded.service import Service, ServiceProcess


@contextmanager
def running(service: Service) -> Iterator[ServiceProcess]:
    """The service, ready. Raises ServiceError."""
    process = ServiceProcess(service=service)
    try:
        process.start_ready(timeout_s=service.start_timeout_s)
        yield process
    finally:
        process.stop()
