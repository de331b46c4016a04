"""What the commands of all benches do: a folder for logs that outlives a failure, an end without orphans, progress."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import uvloop

from bench.cores import Cores, choose_cores
from bench.figures import all_pass
from bench.load import LoadError
from bench.machine import describe_machine
from bench.processes import ProcessError
from bench.published import Published
from scripts.embedded.service import ServiceError

_T = TypeVar("_T")
FAILURES: Final = (ProcessError, ServiceError, LoadError)
"""What a run may end with that is not a mistake of the bench's own."""


def add_parts(parser: argparse.ArgumentParser, parts: Sequence[str]) -> None:
    """The positional arguments `parts`: some of them, or none for all of them."""

    def part(text: str) -> str:
        # Not by `choices`, which in Python 3.11 refuses that there are none.
        if text not in parts:
            raise argparse.ArgumentTypeError(f"there is no part {text!r}, only {', '.join(parts)}")
        return text

    parser.add_argument("parts", nargs="*", type=part, metavar="PART", help=f"{', '.join(parts)} (default: all)")


def run_parts(
    name: str,
    parts: Sequence[str],
    run: Callable[[str, Path, Cores], Coroutine[None, None, Published]],
    *,
    out: Path,
    keep: bool,
    check: bool,
    choose: Callable[[AbstractSet[int]], Cores] = choose_cores,
) -> int:
    """Run and publish one part after the other, each with a folder of its own; the exit status.

    `name`: of the module below bench. `keep`: the logs. `check`: a goal that is not met is 1.
    """
    missed = False
    try:
        cores = choose(os.sched_getaffinity(0))
        for part in parts:
            machine = describe_machine(server_cores=cores.server, load_cores=cores.load)
            with scratch_folder(name.replace("_", "-"), keep=keep) as directory:
                published = run_interruptibly(run(part, directory, cores))
            missed |= not all_pass(published.report.figures)
            stem = f"{name.replace('_', '-')}-{part}"
            path = published.write(out, stem, machine=machine, when=dt.datetime.now(tz=dt.UTC))
            print(path.read_text(encoding="utf-8"))
            say(f"written to {path}")
    except FAILURES as error:
        say_failed(f"bench.{name}", error)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        say(f"bench.{name}: interrupted")
        return 130
    return 1 if check and missed else 0


@contextmanager
def scratch_folder(name: str, *, keep: bool) -> Iterator[Path]:
    """For logs and data; it stays where the run failed, and the error says so in a note."""
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    try:
        yield folder
    except FAILURES as error:
        error.add_note(f"Logs: {folder}")
        raise
    if keep:
        say(f"Logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def run_interruptibly(running: Coroutine[None, None, _T]) -> _T:
    """SIGTERM ends the run as Ctrl-C does, by cancelling it, so that no child outlives it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_cancelled_by_sigterm(running))


async def _cancelled_by_sigterm(running: Coroutine[None, None, _T]) -> _T:
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def say_failed(command: str, error: Exception) -> None:
    say("\n".join([f"{command}: {error}", *getattr(error, "__notes__", [])]))


def say(line: str) -> None:
    """On standard error, at once: standard output is the report's."""
    print(line, file=sys.stderr, flush=True)
