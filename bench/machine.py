"""The machine a result was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    packages: dict[str, str]
    load_average: float
    server_cores: tuple[int, ...]
    load_cores: tuple[int, ...]


def describe_machine(*, server_cores: AbstractSet[int], load_cores: AbstractSet[int]) -> Machine:
    """Read from /proc and the interpreter; `load_average` is of the minute before, 0 on an idle machine."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        packages={name: version(name) for name in ("uvicorn", "uvloop", "httptools", "aiohttp")},
        load_average=round(os.getloadavg()[0], 2),
        server_cores=tuple(sorted(server_cores)),
        load_cores=tuple(sorted(load_cores)),
    )


def cpu_model(cpuinfo: str) -> str:
    """The first `model name` of /proc/cpuinfo, with family and model numbers, which tell virtual CPUs apart."""
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    name = found.get("model name") or platform.machine()
    if "cpu family" in found and "model" in found:
        name += f" (family {found['cpu family']}, model {found['model']})"
    return name
