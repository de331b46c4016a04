"""`python -m bench.tenants`: see docs/reference/bench-tenants.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine
from pathlib import Path

from bench.command_line import add_parts, run_parts, say
from bench.cores import Cores, share_cores
from bench.gateway import REPOSITORY
from bench.published import Published
from bench.tenants.run import PARTS, Effort, run
from bench.tenants.site import Site

_RESULTS = REPOSITORY / "bench" / "results"


def main() -> int:
    arguments = _parse()
    effort = Effort(
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        rate_per_s=arguments.rate,
        requests=arguments.requests,
        seed=arguments.seed,
        keys=arguments.keys,
        month_requests=arguments.month_requests,
    )

    def part(name: str, directory: Path, cores: Cores) -> Coroutine[None, None, Published]:
        return run(name, Site(directory=directory, cores=cores, progress=say), effort)

    return run_parts(
        "tenants",
        arguments.parts or PARTS,
        part,
        out=arguments.out,
        keep=arguments.keep_logs,
        check=arguments.check,
        choose=share_cores,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tenants",
        description="Fair share, cost, keys, kills, a month's bill and a budget race through two gateways.",
    )
    add_parts(parser, PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (%(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each condition in a round (%(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="requests/s of the quiet tenant (%(default)s)")
    parser.add_argument("--requests", type=int, default=1000, help="while there are kills (%(default)s)")
    parser.add_argument("--seed", type=int, default=20_261_122, help="of the kills and the requests (%(default)s)")
    parser.add_argument("--keys", type=int, default=100_000, help="that many are (%(default)s)")
    parser.add_argument("--month-requests", type=int, default=300_000, help="of each tenant in the month (%(default)s)")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results (bench/results)")
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs of what was measured, and say where")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is not met")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
