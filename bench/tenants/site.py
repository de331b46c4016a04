"""Where a part of the benchmark runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores


@dataclass(frozen=True, kw_only=True)
class Site:
    """`progress` is told, one line at a time, how far it has come."""

    directory: Path
    cores: Cores
    progress: Callable[[str], None]
