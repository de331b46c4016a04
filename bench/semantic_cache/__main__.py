"""`python -m bench.semantic_cache`: see docs/reference/bench-semantic-cache.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine
from pathlib import Path

from bench.command_line import add_parts, run_parts, say
from bench.cores import Cores
from bench.gateway import REPOSITORY
from bench.published import Published
from bench.semantic_cache.pairs import held_out, unseen
from bench.semantic_cache.run import PARTS, Effort, Site, run

_RESULTS = REPOSITORY / "bench" / "results"


def main() -> int:
    arguments = _parse()
    effort = _effort(arguments)

    def part(name: str, directory: Path, cores: Cores) -> Coroutine[None, None, Published]:
        return run(name, Site(directory=directory, cores=cores, redis8_url=arguments.redis8_url, progress=say), effort)

    parts = arguments.parts or PARTS
    return run_parts("semantic_cache", parts, part, out=arguments.out, keep=arguments.keep, check=arguments.check)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.semantic_cache",
        description="Measure how often, how rightly and how fast the semantic cache answers.",
    )
    add_parts(parser, PARTS)
    parser.add_argument(
        "--redis8-url",
        help="a Redis 8 that runs, to be measured too, such as redis://127.0.0.1:6390/9: an empty database",
    )
    parser.add_argument("--pairs", type=_file, action="append", help="a file of pairs (default: all of bench's own)")
    parser.add_argument("--speed", type=float, default=720, help="how many times as fast the stream runs (%(default)s)")
    parser.add_argument("--questions", type=int, default=4_000, help="questions of the stream (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="entries to measure at")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each size (%(default)s)")
    parser.add_argument("--probes", type=int, default=100, help="stored questions of each round (%(default)s)")
    parser.add_argument("--requests", type=int, default=10_000, help="requests across scopes (%(default)s)")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results (bench/results)")
    parser.add_argument("--keep", action="store_true", help="keep the logs of what was measured, and say where")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def _effort(arguments: argparse.Namespace) -> Effort:
    return Effort(
        pairs=tuple(arguments.pairs or [*held_out(), *unseen()]),
        asked=tuple(arguments.pairs or held_out()),
        speed=arguments.speed,
        questions=arguments.questions,
        sizes=tuple(arguments.sizes),
        rounds=arguments.rounds,
        probes=arguments.probes,
        requests=arguments.requests,
    )


if __name__ == "__main__":
    sys.exit(main())
