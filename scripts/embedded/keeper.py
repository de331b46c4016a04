"""Keeps one service running: starts it, waits until it ends, starts it again."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from signal import SIGTERM

from scripts.embedded.backoff import RestartBackoff
from scripts.embedded.service import Service, ServiceError, ServiceProcess
from scripts.embedded.state import ServicePhase, ServiceState

log = logging.getLogger("supervisor")

_ORPHANS_GRACE_S = 1.0


class Keeper:
    """Keeps one service running, in a thread of its own."""

    def __init__(
        self,
        service: Service,
        *,
        changed: Callable[[], None],
        failed: Callable[[str], None],
        backoff: RestartBackoff,
    ) -> None:
        self.process = ServiceProcess(service=service)
        self.ready = threading.Event()
        self.state = ServiceState(
            name=service.name,
            port=service.port,
            log_file=str(service.log_file),
            start_timeout_s=service.start_timeout_s,
        )
        self._changed = changed
        self._failed = failed
        self._backoff = backoff
        self._ready_at: float | None = None
        self._preparation_hung = False
        self._stopping = threading.Event()
        # Between `start` and `stop`, so that nothing is started after it was stopped.
        self._transition = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name=service.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the service and its thread; returns when both are gone."""
        self._stopping.set()
        with self._transition:
            asked = self.process.stop()
        if not asked:
            log.warning("%s did not end in %g s and was killed", self.state.name, self.process.service.stop_timeout_s)
        if self._thread.ident is not None:
            self._thread.join()
        self._note(phase=ServicePhase.STOPPED)

    def _keep(self) -> None:
        crashes = 0
        while not self._stopping.is_set():
            self._ready_at, self._preparation_hung = None, False
            problem = self._run_once(attempt=crashes + 1)
            if self._stopping.is_set():
                return
            log.warning("%s", problem)
            hangs = self._preparation_hung or self.process.is_running()
            self.process.end(first=SIGTERM, grace_s=_ORPHANS_GRACE_S)
            ran_for_s = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
            crashes = self._backoff.crashes_in_a_row(before=crashes, ran_for_s=ran_for_s)
            # Attempts are for starts that end soon; one that hung for the whole time-out is not tried again.
            if not self.ready.is_set() and (hangs or crashes >= self.process.service.start_attempts):
                self._failed(problem)
                return
            self._note(phase=ServicePhase.RESTARTING, restarts=self.state.restarts + 1, last_exit=problem)
            self._stopping.wait(self._backoff.delay_s(crashes))

    def _run_once(self, *, attempt: int) -> str:
        """Start it, wait until it ends; what ended it."""
        try:
            with self._transition:
                if self._stopping.is_set():
                    return ""
                self.process.start()
            self._note(phase=ServicePhase.STARTING, process=self.process.identity, started_at=time.time())
            self.process.wait_ready(timeout_s=self.process.service.start_timeout_s)
        except ServiceError as error:
            return str(error)
        except OSError as error:
            # A full disk, say: it may be gone at the next try.
            return f"{self.state.name} could not be started: {error}"
        except subprocess.TimeoutExpired as error:
            self._preparation_hung = True
            log_file = self.process.service.log_file
            return f"{self.state.name} could not be prepared within {error.timeout:.3g} s, see {log_file}"
        log.info("%s runs, pid %d, attempt %d", self.state.name, self.process.pid, attempt)
        self._ready_at = time.monotonic()
        self._note(phase=ServicePhase.RUNNING)
        self.ready.set()
        self.process.wait()
        return f"{self.state.name} ended ({self.process.exit_reason()}): see {self.process.service.log_file}"

    def _note(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # replace() checks the names itself
        self._changed()
