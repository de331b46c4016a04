"""Services of the local stack, started for a run and ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import cpu_s
from scripts.embedded.processes import session_members
from scripts.embedded.service import Service, ServiceProcess


@contextmanager
def running(service: Service) -> Iterator[ServiceProcess]:
    """The service, ready, on the caller's cores. Raises ServiceError."""
    process = ServiceProcess(service=service)
    try:
        process.start_ready(timeout_s=service.start_timeout_s)
        yield process
    finally:
        process.stop()


def session_cpu_s(pid: int) -> float:
    """Processor time of all that runs in the session of a service whose main process is `pid`."""
    return sum(cpu_s(member) for member in session_members(pid))
