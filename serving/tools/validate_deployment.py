"""`python -m serving.tools.validate_deployment`: whether a server does what its clients rely on.

See docs/reference/serving-tools.md for the checks.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import uvloop

from serving.http.pool import ConnectionPool
from serving.tools.command_line import (
    EXIT_FAILED,
    EXIT_OK,
    STANDARD_OUTPUT,
    InputError,
    Parser,
    add_json_option,
    deliver,
    positive_number,
    read_secret,
    refuse_unwritable,
    run,
    say,
)
from serving.tools.openai_client import Address, OpenAIClient
from serving.tools.validation.deployment import Deployment, MetricsReader
from serving.tools.validation.outcome import Check, CheckResult
from serving.tools.validation.report import any_failed, document_of, line_of, summary_of
from serving.tools.validation.runner import CHECKS, run_checks

PROG = "validate_deployment"
_METRICS_PATH = "/metrics"


def parser() -> argparse.ArgumentParser:
    names = [check.name for check in CHECKS]
    cli = Parser(
        prog=f"python -m serving.tools.{PROG}",
        description="Whether an OpenAI-compatible server (gateway, vLLM, Ray Serve) does what its clients rely on.",
        epilog="Exit codes: 0 nothing failed, 1 a check failed, 2 bad input.",
    )
    cli.add_argument("base_url", nargs="?", default="http://127.0.0.1:8000/v1", help="of the API (%(default)s)")
    cli.add_argument("--api-key-file", metavar="FILE|-", help="a file whose first line is the key; - is standard input")
    cli.add_argument("--model", help="(default: the first that the server lists)")
    cli.add_argument("--metrics-url", metavar="URL", help="of the gateway's or the engine's metrics, to check them too")
    cli.add_argument(
        "--timeout-s", type=positive_number, default=30.0, metavar="S", help="for each check (%(default)s)"
    )
    cli.add_argument("--only", choices=names, action="append", metavar="CHECK", help=f"of {', '.join(names)}")
    cli.add_argument("--skip", choices=names, action="append", default=[], metavar="CHECK", help="repeatable")
    add_json_option(cli)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Raises InputError."""
    options = parser().parse_args(arguments)
    refuse_unwritable(options.json)
    checks = chosen_checks(only=options.only, skip=options.skip)
    if options.model is None and "models" in options.skip:
        raise InputError("--skip models leaves no way to find a model: name one with --model.")
    deployment, results = uvloop.run(_validate(options, checks))
    when = dt.datetime.now(dt.UTC)
    document = document_of(results, base_url=options.base_url, model=deployment.model, when=when)
    deliver(summary_of(results), document, json_target=options.json)
    return EXIT_FAILED if any_failed(results) else EXIT_OK


def chosen_checks(*, only: Sequence[str] | None, skip: Sequence[str]) -> list[Check]:
    """With what those of `only` need; in the order of all. Raises InputError when none is left."""
    wanted = set(only or (check.name for check in CHECKS))
    for check in reversed(CHECKS):
        if check.name in wanted:
            wanted.update(check.needs)
    chosen = [check for check in CHECKS if check.name in wanted and check.name not in skip]
    if not chosen:
        raise InputError("--only and --skip leave no check.")
    return chosen


async def _validate(options: argparse.Namespace, checks: Sequence[Check]) -> tuple[Deployment, list[CheckResult]]:
    stream = sys.stderr if options.json == STANDARD_OUTPUT else None
    key = read_secret(options.api_key_file, option="--api-key-file")
    pool = ConnectionPool(connect_timeout_s=options.timeout_s)
    deployment = Deployment(
        client=OpenAIClient(address=Address.of(options.base_url, option="base_url"), pool=pool, api_key=key),
        metrics=None if options.metrics_url is None else MetricsReader(_metrics_client(options.metrics_url, pool)),
        model=options.model,
        clock=time.perf_counter,
        patience_s=options.timeout_s / 2,
        has_key=key is not None,
    )

    def show(result: CheckResult) -> None:
        say(line_of(result), stream=stream)

    say(options.base_url, stream=stream)
    try:
        return deployment, await run_checks(deployment, checks, timeout_s=options.timeout_s, on_result=show)
    finally:
        await pool.aclose()


def _metrics_client(url: str, pool: ConnectionPool) -> OpenAIClient:
    """Without the key of the API: metrics may be elsewhere. Raises InputError."""
    origin = Address.of(url, option="--metrics-url").origin
    return OpenAIClient(address=Address(origin, urlsplit(url).path.rstrip("/") or _METRICS_PATH), pool=pool)


if __name__ == "__main__":
    sys.exit(run(main, prog=PROG))
