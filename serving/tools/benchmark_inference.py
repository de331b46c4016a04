"""`python -m serving.tools.benchmark_inference`: how fast an OpenAI-compatible server answers.

See docs/reference/serving-tools.md for what is measured where.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import signal
import sys
import time
from collections.abc import Sequence

import uvloop

from serving.http.pool import ConnectionPool
from serving.tools.benchmark.load import Level, LevelRun, LoadGenerator
from serving.tools.benchmark.machine import describe_machine
from serving.tools.benchmark.progress import Progress
from serving.tools.benchmark.prompts import PromptWriter
from serving.tools.benchmark.report import Benchmark, Plan, document_of, text_of
from serving.tools.benchmark.sample import Sample, measure
from serving.tools.benchmark.statistics import LevelResult, summarize
from serving.tools.benchmark.target import Target, examine, find_model
from serving.tools.command_line import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    InputError,
    Parser,
    add_json_option,
    deliver,
    positive_int,
    positive_ints,
    positive_number,
    positive_numbers,
    read_secret,
    refuse_unwritable,
    run,
    whole_number,
)
from serving.tools.openai_client import Address, OpenAIClient

PROG = "benchmark_inference"
_CONNECT_S = 10.0
_REQUESTS_PER_CLIENT = 8


def parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog=f"python -m serving.tools.{PROG}",
        description="How fast an OpenAI-compatible server streams chat completions, at several loads.",
        epilog="Exit codes: 0 every request was answered, 1 some were not, 2 bad input or no such server, 130 Ctrl-C.",
    )
    cli.add_argument("--base-url", default="http://127.0.0.1:8000/v1", help="of the API (%(default)s)")
    cli.add_argument("--api-key-file", metavar="FILE|-", help="a file whose first line is the key; - is standard input")
    cli.add_argument("--model", help="(default: the first that the server lists)")
    _add_load_options(cli)
    _add_request_options(cli)
    cli.add_argument("--no-progress", action="store_true", help="no progress bar, on a terminal either")
    add_json_option(cli)
    return cli


def _add_load_options(cli: argparse.ArgumentParser) -> None:
    load = cli.add_mutually_exclusive_group()
    load.add_argument(
        "--concurrency",
        type=positive_ints,
        default=(1, 4, 16),
        metavar="N,...",
        help="clients that each send their next request when the last is answered (1,4,16)",
    )
    load.add_argument(
        "--request-rate",
        type=positive_numbers,
        metavar="R,...",
        help="instead, requests per second at random moments, whether earlier ones are answered or not",
    )
    cli.add_argument(
        "--requests",
        type=positive_int,
        metavar="N",
        help=f"at each load (default: {_REQUESTS_PER_CLIENT} a client; 100 at a rate)",
    )
    cli.add_argument(
        "--max-duration-s", type=positive_number, default=60.0, metavar="S", help="send none after it (%(default)s)"
    )
    cli.add_argument(
        "--max-in-flight", type=positive_int, default=1000, metavar="N", help="at a rate, at most (%(default)s)"
    )
    cli.add_argument(
        "--warmup", type=whole_number, default=1, metavar="N", help="requests a client, not measured (%(default)s)"
    )


def _add_request_options(cli: argparse.ArgumentParser) -> None:
    cli.add_argument("--prompt-tokens", type=positive_int, default=256, metavar="N", help="of a prompt (%(default)s)")
    cli.add_argument(
        "--shared-prefix-tokens", type=whole_number, default=0, metavar="N", help="at its start, the same in all (0)"
    )
    cli.add_argument("--output-tokens", type=positive_int, default=64, metavar="N", help="of an answer (%(default)s)")
    cli.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of prompts and arrivals (%(default)s)")
    cli.add_argument(
        "--timeout-s", type=positive_number, default=120.0, metavar="S", help="for each answer (%(default)s)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Raises InputError."""
    options = parser().parse_args(arguments)
    refuse_unwritable(options.json)
    if options.shared_prefix_tokens > options.prompt_tokens:
        raise InputError(
            f"--shared-prefix-tokens {options.shared_prefix_tokens} is more than "
            f"--prompt-tokens {options.prompt_tokens}."
        )
    benchmark = uvloop.run(_benchmark(options))
    deliver(text_of(benchmark), document_of(benchmark), json_target=options.json)
    if benchmark.interrupted:
        return EXIT_INTERRUPTED
    every = all(result.answered and not result.failed for result in benchmark.results)
    return EXIT_OK if every else EXIT_FAILED


def levels_of(options: argparse.Namespace) -> list[Level]:
    if options.request_rate:
        return [
            Level(
                requests=options.requests or 100,
                max_duration_s=options.max_duration_s,
                rate_per_s=rate,
                max_in_flight=options.max_in_flight,
            )
            for rate in options.request_rate
        ]
    return [
        Level(
            requests=options.requests or _REQUESTS_PER_CLIENT * clients,
            max_duration_s=options.max_duration_s,
            concurrency=clients,
        )
        for clients in options.concurrency
    ]


async def _benchmark(options: argparse.Namespace) -> Benchmark:
    stopping = asyncio.Event()
    pool = ConnectionPool(connect_timeout_s=_CONNECT_S)
    key = read_secret(options.api_key_file, option="--api-key-file")
    client = OpenAIClient(address=Address.of(options.base_url), pool=pool, api_key=key)
    machine = describe_machine()
    try:
        target = await examine(
            client,
            options.model or await find_model(client, timeout_s=options.timeout_s),
            prompt_tokens=options.prompt_tokens,
            shared_tokens=options.shared_prefix_tokens,
            seed=options.seed,
            timeout_s=options.timeout_s,
        )
        # From here on there are results to keep; until then Ctrl-C just ends it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopping.set)
        results = await _measure_levels(options, client, target, stopping)
    finally:
        await pool.aclose()
    return Benchmark(
        plan=_plan(options),
        target=target,
        machine=machine,
        when=dt.datetime.now(dt.UTC),
        results=results,
        interrupted=stopping.is_set(),
    )


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        base_url=options.base_url,
        prompt_tokens=options.prompt_tokens,
        shared_prefix_tokens=options.shared_prefix_tokens,
        output_tokens=options.output_tokens,
        seed=options.seed,
        warmup=options.warmup,
        timeout_s=options.timeout_s,
    )


async def _measure_levels(
    options: argparse.Namespace, client: OpenAIClient, target: Target, stopping: asyncio.Event
) -> list[LevelResult]:
    """Each load after the other; what there is when `stopping` is set."""
    clock = time.perf_counter
    writer = PromptWriter(seed=options.seed, words=target.words, shared_words=target.shared_words)
    progress = Progress(sys.stderr, clock=clock, enabled=not options.no_progress)

    async def send(number: int, due_s: float | None) -> Sample:
        body = target.body(
            writer.prompt(number), output_tokens=options.output_tokens, seed=(options.seed + number) % 2**31
        )
        return await measure(client, body, clock=clock, timeout_s=options.timeout_s, started_s=due_s)

    def show(done: LevelRun) -> None:
        failed = sum(sample.failure is not None for sample in done.samples)
        label = f"load {done.level.label}"
        progress.update(label, done=len(done.samples), total=done.level.requests, failed=failed)

    results: list[LevelResult] = []
    number = 0
    for level in levels_of(options):
        if stopping.is_set():
            break
        number = await _warm_up(LoadGenerator(send, clock=clock, stopping=stopping), level, options.warmup, number)
        generator = LoadGenerator(send, clock=clock, stopping=stopping, on_answer=show)
        results.append(summarize(await generator.run(level, first_number=number, seed=options.seed)))
        number += level.requests
    progress.clear()
    return results


async def _warm_up(generator: LoadGenerator, level: Level, requests_per_client: int, number: int) -> int:
    """The number of the first request that counts."""
    clients = level.concurrency or 1
    requests = clients * requests_per_client
    if requests:
        warmup = Level(requests=requests, max_duration_s=level.max_duration_s, concurrency=clients)
        await generator.run(warmup, first_number=number)
    return number + requests


if __name__ == "__main__":
    sys.exit(run(main, prog=PROG))
