"""`python -m bench.overhead`: see docs/reference/bench-overhead.md."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

from bench.command_line import FAILURES, run_interruptibly, say, say_failed
from bench.cores import choose_cores
from bench.figures import all_pass
from bench.machine import describe_machine
from bench.overhead import peers, report, servers
from bench.overhead.measure import Effort
from bench.overhead.run import run

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
    except FAILURES as error:
        say_failed("bench.overhead", error)
    except subprocess.CalledProcessError as error:
        say(f"bench.overhead: installing LiteLLM failed, and `--skip litellm` does without it: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("bench.overhead: interrupted")
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
    result = run_interruptibly(run(effort=effort, names=names, cores=cores, progress=say))
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
        say(f"written to {folder / stem}.md and .json")
    met = all_pass(report.figures(result, connections=effort.connections))
    return 1 if arguments.check and not met else 0


if __name__ == "__main__":
    sys.exit(main())
