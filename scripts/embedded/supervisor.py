"""One embedded stack from start to stop: order, readiness, log rotation, and a file that says what runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.embedded.backoff import RestartBackoff
from scripts.embedded.keeper import Keeper
from scripts.embedded.log_rotation import rotate
from scripts.embedded.service import Service
from scripts.embedded.state import FILE_NAME, Phase, StackState

log = logging.getLogger("supervisor")

_POLL_S = 0.02
_ROTATE_EVERY_S = 5.0


class Supervisor:
    """Runs the stages one after the other, the services of a stage side by side."""

    def __init__(
        self,
        stages: Sequence[Sequence[Service]],
        *,
        state: StackState,
        data_dir: Path,
        not_ready_reason: Callable[[], str],
        ready_timeout_s: float = 60.0,
        backoff: RestartBackoff | None = None,
    ) -> None:
        """`not_ready_reason` is empty once the stack as a whole serves; it is asked when every service runs."""
        self._data_dir = data_dir
        self._state = state
        self._not_ready_reason = not_ready_reason
        self._ready_timeout_s = ready_timeout_s
        self._stopping = threading.Event()
        self._problem = ""
        self._writing = threading.Lock()
        self._stages = [
            [
                Keeper(
                    service,
                    changed=self._write,
                    failed=self._fail,
                    backoff=backoff or RestartBackoff(),
                )
                for service in stage
            ]
            for stage in stages
        ]

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> bool:
        """Start everything, keep it running until `stop`, end everything. False when the start failed.

        The state file is gone afterwards, or says FAILED and why.
        """
        try:
            self._start()
            if not self._problem and not self._stopping.is_set():
                self._write(Phase.READY)
                log.info("the stack is ready")
                self._watch()
        finally:
            failed = self._state.phase is Phase.STARTING and bool(self._problem)
            self._write(self._state.phase if failed else Phase.STOPPING)
            self._stop_all()
            if failed:
                log.error("the stack did not start: %s", self._problem)
                self._write(Phase.FAILED, message=self._problem)
            else:
                (self._data_dir / FILE_NAME).unlink(missing_ok=True)
        return not failed

    def _start(self) -> None:
        self._write()
        for stage in self._stages:
            for keeper in stage:
                keeper.start()
            while not all(keeper.ready.is_set() for keeper in stage):
                if self._problem or self._stopping.wait(_POLL_S):
                    return
        deadline = time.monotonic() + self._ready_timeout_s
        while reason := self._not_ready_reason():
            if time.monotonic() >= deadline:
                self._fail(f"the stack was not ready after {self._ready_timeout_s:g} s: {reason}")
            if self._problem or self._stopping.wait(_POLL_S):
                return

    def _watch(self) -> None:
        logs = [keeper.process.service.log_file for stage in self._stages for keeper in stage]
        while not self._stopping.wait(_ROTATE_EVERY_S):
            for log_file in logs:
                try:
                    rotate(log_file)
                except OSError as error:
                    log.warning("%s could not be rotated: %s", log_file, error)

    def _stop_all(self) -> None:
        """The last stage first, so that the gateway can finish and settle while its stores still run."""
        for stage in reversed(self._stages):
            # Within a stage too: the gateway drains while the engine still answers.
            for keeper in reversed(stage):
                keeper.stop()

    def _fail(self, problem: str) -> None:
        self._problem = self._problem or problem

    def _write(self, phase: Phase | None = None, *, message: str = "") -> None:
        with self._writing:
            services = tuple(keeper.state for stage in self._stages for keeper in stage)
            self._state = replace(self._state, phase=phase or self._state.phase, message=message, services=services)
            try:
                self._state.write(self._data_dir)
            except OSError as error:
                # A full disk must not end the one process that brings the others back.
                log.warning("%s could not be written: %s", FILE_NAME, error)
