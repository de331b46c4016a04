"""`python -m bench.rag`: see docs/reference/bench-rag.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.command_line import add_parts, run_parts, say
from bench.cores import Cores, share_cores
from bench.gateway import REPOSITORY
from bench.published import Published
from bench.rag.run import PARTS, Effort, Site, run

_RESULTS = REPOSITORY / "bench" / "results"
_KEPT_NAME = ".cache/bench-rag"
_KEPT = REPOSITORY / _KEPT_NAME


def main() -> int:
    arguments = _parse()
    effort = Effort(
        rows=arguments.rows,
        chunks=arguments.chunks,
        uploads=arguments.uploads,
        questions=arguments.questions,
        seconds=arguments.seconds,
        rounds=arguments.rounds,
    )
    with _filled(arguments) as filled:

        def part(name: str, directory: Path, cores: Cores) -> Coroutine[None, None, Published]:
            return run(name, Site(directory=directory, cores=cores, filled=filled, progress=say), effort)

        return run_parts(
            "rag",
            arguments.parts or PARTS,
            part,
            out=arguments.out,
            keep=arguments.keep_logs,
            check=arguments.check,
            choose=share_cores,
        )


@contextmanager
def _filled(arguments: argparse.Namespace) -> Iterator[Path]:
    """Where the parts of a run, or with --keep of several, find the filled corpus."""
    if arguments.keep:
        yield _KEPT / f"{arguments.chunks}-chunks"
    else:
        with tempfile.TemporaryDirectory(prefix="bench-rag-filled-", ignore_cleanup_errors=True) as folder:
            yield Path(folder) / "stores"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rag",
        description="Measure how rightly and how fast passages are found, and how fast documents go in.",
    )
    add_parts(parser, PARTS)
    parser.add_argument(
        "--rows", type=int, help="FinSight's questions of each group, and their documents alone: to try out"
    )
    parser.add_argument("--chunks", type=int, default=100_000, help="of index and latency (%(default)s)")
    parser.add_argument("--uploads", type=int, default=4, help="at a time, to fill it (%(default)s)")
    parser.add_argument("--questions", type=int, default=500, help="that the index is asked (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each kind of load in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of latency (%(default)s)")
    parser.add_argument(
        "--keep", action="store_true", help=f"use what an earlier run has filled, and keep it in {_KEPT_NAME}"
    )
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results (bench/results)")
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs of what was measured, and say where")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
