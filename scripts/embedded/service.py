"""One service and the process that runs it: start, readiness, stop, and the violence that drills and tests need."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.embedded.processes import ProcessIdentity, end_session, send_signal

_POLL_S = 0.02
_LAST_WORDS_BYTES = 2_000


class ServiceError(RuntimeError):
    """A service could not be prepared, did not start or did not become ready; the message names it and its log."""


def _nothing() -> None:
    """Most services need no preparation."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What to run and how to tell that it works."""

    name: str
    command: Sequence[str]
    log_file: Path
    is_ready: Callable[[], bool]
    """Quick (a second, a few at most) and never raises."""
    port: int
    prepare: Callable[[], None] = _nothing
    """Runs before each start; does nothing the second time. Raises ServiceError."""
    after_ready: Callable[[], None] = _nothing
    """Runs when the service answers, before it counts as ready; does nothing the second time."""
    environment: Mapping[str, str] | None = None
    """None: the environment of this process."""
    working_directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    start_timeout_s: float = 60.0
    """Until it is ready, and again until `after_ready` is done."""
    start_attempts: int = 1
    """How often it may end before it was ready once until the start counts as failed."""


@dataclass(kw_only=True)
class ServiceProcess:
    """The process of a service, in a session of its own so that its children can be found and ended with it."""

    service: Service
    _popen: subprocess.Popen[bytes] | None = field(default=None, init=False)
    identity: ProcessIdentity | None = field(default=None, init=False)
    _log_start: int = field(default=0, init=False)

    @property
    def pid(self) -> int:
        """Pid of the main process. Raises ServiceError before the first start."""
        if self._popen is None:
            raise ServiceError(f"{self.service.name} was never started.")
        return self._popen.pid

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start the process and return without waiting for readiness. Raises ServiceError."""
        if self.is_running():
            return
        self.service.prepare()
        self.service.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.service.log_file.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._popen = subprocess.Popen(  # noqa: S603  # the command is built by this package, not by a user
                    list(self.service.command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=None if self.service.environment is None else dict(self.service.environment),
                    cwd=self.service.working_directory,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(f"{self.service.name} could not be started: {error}.") from error
        self.identity = ProcessIdentity.of(self._popen.pid)

    def wait_ready(self, *, timeout_s: float = 30.0) -> None:
        """Raises ServiceError when the process ends or is not ready in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            answers = self.service.is_ready()
            # Asked first, believed only if the process still runs: somebody else may answer on its port.
            if not self.is_running():
                raise ServiceError(f"{self.service.name} ended at start ({self.exit_reason()}), {self._last_words()}")
            if answers:
                break
            if time.monotonic() >= deadline:
                raise ServiceError(f"{self.service.name} was not ready after {timeout_s:g} s, {self._last_words()}")
            time.sleep(_POLL_S)
        self.service.after_ready()

    def wait(self) -> int:
        """Block until the main process ends; its exit status (negative: the signal)."""
        if self._popen is None:
            raise ServiceError(f"{self.service.name} was never started.")
        return self._popen.wait()

    def exit_reason(self) -> str:
        status = None if self._popen is None else self._popen.poll()
        if status is None:
            return "still running"
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def _last_words(self) -> str:
        """Where its log is, and the last line that this start wrote there."""
        where = f"see {self.service.log_file}"
        try:
            with self.service.log_file.open("rb") as log:
                log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return where
        return f"{where}: {lines[-1].strip()}" if lines else where

    def stop(self) -> bool:
        """Ask it to end, then make it, children included. Returns True when asking was enough."""
        return self.end(first=self.service.stop_signal, grace_s=self.service.stop_timeout_s)

    def end(self, *, first: signal.Signals, grace_s: float) -> bool:
        """`first` to the main process (or to its orphans), SIGKILL to what is left after `grace_s`."""
        if self._popen is None or self.identity is None:
            return True
        ended_by_itself = end_session(self.identity, first=first, grace_s=grace_s)
        self._popen.wait()
        return ended_by_itself

    def kill(self) -> None:
        """`kill -9` of the main process alone, as a crash does it."""
        send_signal(self.pid, signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        """Stop it from running while its connections stay open (SIGSTOP): the failure that time-outs exist for."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on; harmless otherwise."""
        if self.is_running():
            os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Running and ready afterwards, whatever state it was in. Raises ServiceError."""
        self.thaw()
        self.stop()
        self.start_ready()

    def start_ready(self, *, timeout_s: float = 30.0) -> None:
        """Start, allow the attempts that the service is granted, and return when it is ready. Raises ServiceError."""
        for attempt in range(1, self.service.start_attempts + 1):
            self.start()
            try:
                self.wait_ready(timeout_s=timeout_s)
            except ServiceError:
                if attempt == self.service.start_attempts or self.is_running():
                    self.stop()
                    raise
                time.sleep(0.2 * attempt)
            else:
                return
