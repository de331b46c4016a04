"""What this process and its children have written since, where their output goes to a file, as Ray's workers' does."""

from __future__ import annotations

import re
from pathlib import Path

_OUTPUTS = (Path("/proc/self/fd/1"), Path("/proc/self/fd/2"))
_TAIL_BYTES = 262_144
# The last line of a traceback, whatever a logger put before it.
_ERROR = re.compile(rb"(?:^|[ \]])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Killed|Timeout)): (\S.*)")
# These only point at the error that came before them.
_POINTERS = (b"See root cause above", b"See stack trace (above)")


class ProcessOutput:
    """The output from the moment this is made."""

    def __init__(self, outputs: tuple[Path, ...] = _OUTPUTS) -> None:
        self._since = [(path, path.stat().st_size) for path in outputs if path.is_file()]

    def last_error(self) -> str | None:
        """The last exception that was written, such as `torch.OutOfMemoryError: CUDA out of memory.`"""
        for path, start in self._since:
            lines = [line for line in _tail(path, start).splitlines() if not _points(line)]
            errors = [match for line in lines if (match := _ERROR.search(line))]
            if errors:
                name, message = errors[-1].groups()
                return f"{name.decode()}: {message.decode(errors='replace').strip()}"
        return None


def _points(line: bytes) -> bool:
    return any(pointer in line for pointer in _POINTERS)


def _tail(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""
