"""Child processes of a run: pinned to cores, awaited until ready, measured from /proc, and always ended. Linux only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LOG_TAIL_BYTES = 2_000


class ProcessError(Exception):
    """A child did not start, or ended too early; the message holds the end of its log."""


@contextmanager
def pinned(cores: AbstractSet[int]) -> Iterator[None]:
    """Children started inside inherit `cores`; the caller gets its own back."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pids: Iterable[int], cores: AbstractSet[int]) -> None:
    """Let running processes have `cores` only; what they start later inherits that."""
    for pid in pids:
        with suppress(OSError):
            threads = [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
            for thread in threads:
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread, cores)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run. `environment` is added to the parent's."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path


class Child:
    """A running command, pinned to `cores`, its output in `<directory>/<name>.log`. Use as a context manager."""

    def __init__(self, command: Command, *, cores: AbstractSet[int]) -> None:
        self.name = command.name
        self.log = command.directory / f"{command.name}.log"
        with self.log.open("wb") as output, pinned(cores):
            self._process = subprocess.Popen(  # noqa: S603  # the benchmark's own command lines
                command.arguments,
                env={**os.environ, **command.environment},
                cwd=command.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> list[int]:
        """The process and all its descendants."""
        return descendants(self._process.pid)

    def resident_bytes(self) -> int:
        return sum(resident_bytes(pid) for pid in self.pids)

    def cpu_s(self) -> float:
        return sum(cpu_s(pid) for pid in self.pids)

    def await_ready(self, url: str, *, key: str, timeout_s: float) -> None:
        """Wait for a 200 from `url`. Raises ProcessError."""
        deadline = time.monotonic() + timeout_s
        problem = "no answer"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310  # http on loopback
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ProcessError(f"{self.name} ended with status {self._process.returncode}:\n{self.log_tail()}")
            try:
                with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # http on loopback
                    return
            except (urllib.error.URLError, OSError) as error:
                problem = str(error)
            time.sleep(0.1)
        raise ProcessError(f"{self.name} was not ready at {url} after {timeout_s:g} s ({problem}):\n{self.log_tail()}")

    def log_tail(self) -> str:
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()

    def stop(self) -> None:
        """SIGTERM to the process; SIGKILL to what is left of it and its descendants when it ended or 10 s later."""
        if self._process.poll() is not None:
            return
        tree = self.pids
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within 10 s of SIGTERM: killed", file=sys.stderr)
        for pid in tree:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


def descendants(pid: int) -> list[int]:
    """`pid` and every living process below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(parents.get(parent, []))
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory; 0 for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def cpu_s(pid: int) -> float:
    """User and system time since the process started; 0 for a process that is gone."""
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def command_line(pid: int) -> str:
    """Program and arguments, with blanks between them; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from `state` (index 0) on; the name before it may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
