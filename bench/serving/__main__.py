"""`python -m bench.serving`: see docs/reference/bench-serving.md."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime as dt
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench.cores import Cores, choose_cores
from bench.figures import all_pass
from bench.gateway import REPOSITORY
from bench.load import LoadError
from bench.machine import Machine, describe_machine
from bench.processes import ProcessError
from bench.report import Report
from bench.serving import chain, chain_report, hop, hop_report, servers, spike, spike_report
from bench.serving.effort import Effort
from scripts.embedded.service import ServiceError

_RESULTS = REPOSITORY / "bench" / "results"
_PARTS = ("hop", "chain", "spike")
_SECONDS = {"hop": 3.0, "chain": 12.0}


def main() -> int:
    arguments = _parse()
    missed = False
    try:
        cores = choose_cores(os.sched_getaffinity(0))
        for part in arguments.parts or _PARTS:
            machine = describe_machine(server_cores=cores.server, load_cores=cores.load)
            with (
                _scratch_folder(keep=arguments.keep) as directory,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                report = runner.run(_interruptible(_part(part, arguments, cores, directory)))
            packages = servers.package_versions("vllm" if part == "chain" else "ray")
            machine = dataclasses.replace(machine, packages=packages)
            missed |= not all_pass(report.figures)
            _write(report, part, arguments.out, machine=machine)
    except (ProcessError, ServiceError, LoadError) as error:
        _say("\n".join([f"bench.serving: {error}", *getattr(error, "__notes__", [])]))
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("bench.serving: interrupted")
        return 130
    return 1 if arguments.check and missed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving",
        description="Measure what Ray Serve, Nginx and the gateway cost around an engine, and how replicas scale.",
    )
    parser.add_argument("parts", nargs="*", choices=_PARTS, metavar="PART", help="hop, chain, spike (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of hop and chain (%(default)s)")
    parser.add_argument("--seconds", type=float, help="length of each part of a round (hop 3, chain 12)")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results (bench/results)")
    parser.add_argument("--keep", action="store_true", help="keep the logs of what was measured, and say where")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


async def _part(part: str, arguments: argparse.Namespace, cores: Cores, directory: Path) -> Report:
    if part == "spike":
        return spike_report.report(await spike.run(phases=spike.PHASES, directory=directory, progress=_say))
    effort = Effort(rounds=arguments.rounds, seconds=arguments.seconds or _SECONDS[part])
    if part == "hop":
        rounds = await hop.run(effort=effort, cores=cores, directory=directory, progress=_say)
        return hop_report.report(rounds, effort=effort)
    results = {}
    for number, model in enumerate((chain.SIZED, chain.TINY)):
        folder = directory / str(number)
        folder.mkdir()
        results[model] = await chain.run(model, effort=effort, cores=cores, directory=folder, progress=_say)
    return chain_report.report(results, effort=effort)


def _write(report: Report, part: str, folder: Path, *, machine: Machine) -> None:
    when = dt.datetime.now(tz=dt.UTC)
    text = report.markdown(machine, when)
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"serving-{part}-{when:%Y-%m-%d}"
    (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    (folder / f"{stem}.json").write_text(report.document(machine, when), encoding="utf-8")
    _say(f"written to {folder / stem}.md and .json")


@contextmanager
def _scratch_folder(*, keep: bool) -> Iterator[Path]:
    """For logs and data; it stays where the run failed."""
    folder = Path(tempfile.mkdtemp(prefix="bench-serving-"))
    try:
        yield folder
    except (ProcessError, ServiceError, LoadError) as error:
        error.add_note(f"Logs: {folder}")
        raise
    if keep:
        _say(f"Logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


async def _interruptible(running: Coroutine[None, None, Report]) -> Report:
    """SIGTERM ends the run as Ctrl-C does, by cancelling it, so that no child outlives it."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
