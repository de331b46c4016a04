"""`python -m bench.websocket`: what a WebSocket costs the gateway; see docs/reference/websocket.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import choose_cores
from bench.gateway import KEY
from bench.machine import describe_machine
from bench.overhead import servers
from bench.processes import Child, ProcessError
from bench.stores import running_stores
from bench.tables import table
from bench.websocket.measure import Load, WrongAnswerError, chunk_us, idle_bytes, set_pace
from scripts.embedded.ports import free_port
from scripts.embedded.service import ServiceError

_READY_S = 60.0
LOADS = {
    "a chunk every 20 ms, 32 streams": Load(streams=32, chunks=200, interval_s=0.02),
    "as fast as it goes, 8 streams": Load(streams=8, chunks=1000, interval_s=0.0),
}


@dataclass(frozen=True, kw_only=True)
class _Site:
    gateway: Child
    gateway_port: int
    upstream_port: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.websocket", description=__doc__)
    parser.add_argument("--connections", type=int, default=900, help="idle WebSockets to open (default: 900)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way to stream (default: 5)")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as directory, _running(Path(directory)) as site:
            asyncio.run(_measure(site, connections=arguments.connections, rounds=arguments.rounds))
    except (ProcessError, ServiceError, WrongAnswerError) as error:
        print(f"bench.websocket: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _running(directory: Path) -> Iterator[_Site]:
    cores = choose_cores(os.sched_getaffinity(0))
    machine = describe_machine(server_cores=cores.server, load_cores=cores.load)
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, load {machine.load_average}\n")
    port, upstream_port = free_port(), free_port()
    place = servers.Site(port=port, directory=directory, upstream=f"http://127.0.0.1:{upstream_port}")
    with (
        running_stores(directory) as stores,
        Child(servers.upstream(upstream_port, directory), cores=cores.load) as upstream,
        Child(servers.gateway(place, stores=stores), cores=cores.server) as gateway,
    ):
        upstream.await_ready(f"{place.upstream}/healthz", key=KEY, timeout_s=_READY_S)
        gateway.await_ready(f"http://127.0.0.1:{port}/healthz", key=KEY, timeout_s=_READY_S)
        yield _Site(gateway=gateway, gateway_port=port, upstream_port=upstream_port)


async def _measure(site: _Site, *, connections: int, rounds: int) -> None:
    size = await idle_bytes(site.gateway, site.gateway_port, connections=connections)
    print(f"memory of an idle WebSocket, of {connections}: {size / 1024:.1f} KiB\n")
    rows = []
    for name, load in LOADS.items():
        set_pace(site.upstream_port, load.interval_s)
        found: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for websocket, samples in found.items():  # in turn, so that what disturbs the machine disturbs both
                samples.append(await chunk_us(site.gateway, site.gateway_port, load, websocket=websocket))
        events, messages = (statistics.median(samples) for samples in found.values())
        rows.append([name, f"{events:.0f} µs", f"{messages:.0f} µs", f"{messages / events:.2f}"])
    print(table(["processor time for a chunk", "server-sent events", "WebSocket", "ratio"], rows))


if __name__ == "__main__":
    sys.exit(main())
