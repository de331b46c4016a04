"""`python -m bench.serving`: see docs/reference/bench-serving.md."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime as dt
import os
import sys
from pathlib import Path

from bench.command_line import FAILURES, add_parts, run_interruptibly, say, say_failed, scratch_folder
from bench.cores import Cores, choose_cores
from bench.figures import all_pass
from bench.gateway import REPOSITORY
from bench.machine import Machine, describe_machine
from bench.report import Report
from bench.serving import chain, chain_report, hop, hop_report, servers, spike, spike_report
from bench.serving.effort import Effort

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
            with scratch_folder("serving", keep=arguments.keep) as directory:
                report = run_interruptibly(_part(part, arguments, cores, directory))
            packages = servers.package_versions("vllm" if part == "chain" else "ray")
            machine = dataclasses.replace(machine, packages=packages)
            missed |= not all_pass(report.figures)
            _write(report, part, arguments.out, machine=machine)
    except FAILURES as error:
        say_failed("bench.serving", error)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("bench.serving: interrupted")
        return 130
    return 1 if arguments.check and missed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving",
        description="Measure what Ray Serve, Nginx and the gateway cost around an engine, and how replicas scale.",
    )
    add_parts(parser, _PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of hop and chain (%(default)s)")
    parser.add_argument("--seconds", type=float, help="length of each part of a round (hop 3, chain 12)")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results (bench/results)")
    parser.add_argument("--keep", action="store_true", help="keep the logs of what was measured, and say where")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


async def _part(part: str, arguments: argparse.Namespace, cores: Cores, directory: Path) -> Report:
    if part == "spike":
        return spike_report.report(await spike.run(phases=spike.PHASES, directory=directory, progress=say))
    effort = Effort(rounds=arguments.rounds, seconds=arguments.seconds or _SECONDS[part])
    if part == "hop":
        rounds = await hop.run(effort=effort, cores=cores, directory=directory, progress=say)
        return hop_report.report(rounds, effort=effort)
    results = {}
    for number, model in enumerate((chain.SIZED, chain.TINY)):
        folder = directory / str(number)
        folder.mkdir()
        results[model] = await chain.run(model, effort=effort, cores=cores, directory=folder, progress=say)
    return chain_report.report(results, effort=effort)


def _write(report: Report, part: str, folder: Path, *, machine: Machine) -> None:
    when = dt.datetime.now(tz=dt.UTC)
    text = report.markdown(machine, when)
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"serving-{part}-{when:%Y-%m-%d}"
    (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    (folder / f"{stem}.json").write_text(report.document(machine, when), encoding="utf-8")
    say(f"written to {folder / stem}.md and .json")


if __name__ == "__main__":
    sys.exit(main())
