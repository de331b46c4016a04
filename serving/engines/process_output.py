"""What this process and its children have written, where their output goes to files, as that of Ray's workers does."""

from __future__ import annotations

import re
from pathlib import Path

_OUTPUTS = (Path("/proc/self/fd/1"), Path("/proc/self/fd/2"))
_TAIL_BYTES = 262_144
# "(EngineCore pid=17) ERROR 11-21 11:17:57 [core.py:1512] " before each line of what a vLLM process logs.
_PREFIX = re.compile(r"^(?:\(\w+ pid=\d+\) )?(?:[A-Z]+ [\d-]+ [\d:]+ \[[^\]]*\] )?")


class ProcessOutput:
    """The output from the moment this is made."""

    def __init__(self, outputs: tuple[Path, ...] = _OUTPUTS) -> None:
        self._since = [(path, path.stat().st_size) for path in outputs if path.is_file()]

    def text(self) -> str:
        """The end of it, without what vLLM's processes put before their lines."""
        lines = [line for path, start in self._since for line in _tail(path, start).splitlines()]
        return "\n".join(_PREFIX.sub("", line) for line in lines)


def _tail(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
