"""`python -m bench.overhead`: see docs/reference/bench-overhead.md."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path

import uvloop

from bench.cores import choose_cores
from bench.figures import all_pass
from bench.load import LoadError
from bench.machine import describe_machine
from bench.overhead import peers, report, servers
from bench.overhead.measure import Effort
from bench.overhead.run import RunResult, run
from bench.processes import ProcessError
from scripts.embedded.service import ServiceError

_RESULTS = Path(__file__).resolve().parents[1] / "results"
_FULL = Effort(
    rounds=5,
    seconds=3,
    streams=1000,
    stream_frames=30,
    stream_interval_s=0.2,
    memory_requests=200_000,
    memory_warm_up=40_000,
)
_QUICK = Effort(
    rounds=3,
    seconds=1,
    streams=1000,
    stream_frames=12,
    stream_interval_s=0.2,
    memory_requests=4_000,
    memory_warm_up=2_000,
)


def main() -> int:
    arguments = _parse()
    try:
        if arguments.install_peers:
            peers.install_litellm()
            return 0
        return _measure(arguments)
    except (ProcessError, ServiceError, LoadError) as error:
        print("\n".join([f"bench.overhead: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(
            f"bench.overhead: installing LiteLLM failed, and `--skip litellm` does without it: {error}", file=sys.stderr
        )
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("bench.overhead: interrupted", file=sys.stderr)
        return 130
    return 2


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.overhead",
        description="Measure what the gateway costs against its peers on one instant upstream.",
    )
    parser.add_argument(
        "--install-peers",
        action="store_true",
        help="install LiteLLM into .venv-litellm, which a run does too, and exit",
    )
    parser.add_argument("--quick", action="store_true", help="a rough look in under 90 seconds; writes nothing")
    parser.add_argument("--rounds", type=int, help="interleaved rounds")
    parser.add_argument("--seconds", type=float, help="length of each part of a round")
    parser.add_argument("--streams", type=int, help="concurrent streams; 0 skips that phase")
    parser.add_argument("--memory-requests", type=int, help="requests of the memory phase; 0 skips it")
    parser.add_argument("--skip", action="append", default=[], choices=[servers.LITELLM, servers.GATEWAY])
    parser.add_argument(
        "--output", type=Path, help=f"folder for the results; {_RESULTS.name} beside this package by default"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


def _effort(arguments: argparse.Namespace) -> Effort:
    base = _QUICK if arguments.quick else _FULL
    given = {name: getattr(arguments, name) for name in ("rounds", "seconds", "streams", "memory_requests")}
    fields = {**vars(base), **{name: value for name, value in given.items() if value is not None}}
    return Effort(**fields)


def _measure(arguments: argparse.Namespace) -> int:
    names = [name for name in (servers.PASSTHROUGH, servers.LITELLM, servers.GATEWAY) if name not in arguments.skip]
    if servers.LITELLM in names:
        peers.install_litellm()
    effort = _effort(arguments)
    cores = choose_cores(os.sched_getaffinity(0))
    machine = describe_machine(server_cores=cores.server, load_cores=cores.load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_interruptible(run(effort=effort, names=names, cores=cores, progress=_say)))
    when = dt.datetime.now(tz=dt.UTC)
    text = report.markdown(result, effort=effort, machine=machine, when=when)
    print(text)
    folder = arguments.output or (None if arguments.quick else _RESULTS)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"overhead-{when:%Y-%m-%d}"
        (folder / f"{stem}.md").write_text(text, encoding="utf-8")
        document = report.document(result, effort=effort, machine=machine, when=when)
        (folder / f"{stem}.json").write_text(document, encoding="utf-8")
        _say(f"written to {folder / stem}.md and .json")
    met = all_pass(report.figures(result, connections=effort.connections))
    return 1 if arguments.check and not met else 0


async def _interruptible(running: Coroutine[None, None, RunResult]) -> RunResult:
    """SIGTERM ends the run as Ctrl-C does, by cancelling it, so that no child outlives it."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
