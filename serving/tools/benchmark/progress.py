"""A line that says how far a run is, for a person who watches a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

_WIDTH = 30
_EVERY_S = 0.1


class Progress:
    """Writes to `stream` only if that is a terminal, and at most ten times a second."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float], enabled: bool = True) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = enabled and stream.isatty()
        self._next_s = 0.0

    def update(self, what: str, *, done: int, total: int, failed: int) -> None:
        now = self._clock()
        if not self._shown or (now < self._next_s and done < total):
            return
        self._next_s = now + _EVERY_S
        filled = _WIDTH * done // max(1, total)
        failures = f", {failed} failed" if failed else ""
        bar = "#" * filled + "." * (_WIDTH - filled)
        self._stream.write(f"\r\x1b[K{what} [{bar}] {done}/{total}{failures}")
        self._stream.flush()

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
