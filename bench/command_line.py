"""What the commands of all benches do: a folder for logs that outlives a failure, an end without orphans, progress."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import uvloop

from bench.load import LoadError
from bench.processes import ProcessError
from scripts.embedded.service import ServiceError

_T = TypeVar("_T")
FAILURES: Final = (ProcessError, ServiceError, LoadError)
"""What a run may end with that is not a mistake of the bench's own."""


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
