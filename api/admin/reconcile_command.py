"""`reconcile`: the ledger beside the engines' own counters."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.admin.command_groups import Groups
from api.admin.gateway import AdminClient, Unreachable
from api.admin.reconciliation import (
    Baseline,
    EngineCounters,
    compared,
    counters_in,
    reconciliation_note,
    reconciliation_report,
)
from serving.http.pool import ConnectionPool
from serving.tools.command_line import EXIT_FAILED, EXIT_OK, InputError, non_negative_number
from serving.tools.openai_client import Address, OpenAIClient

_PAUSE_S = 0.5
_SCRAPE_TIMEOUT_S = 10.0
_METRICS = "/metrics"
# Of the moment when the kernel says that a process was started: it may be a second late, and nothing came before it.
_START_MARGIN_S = 2.0


def add_to(groups: Groups) -> None:
    cli = groups.add_parser(
        "reconcile",
        help="compare the ledger with the engines' own counters",
        epilog="Exit codes: 0 they agree, 1 they do not (or cannot be compared), 2 bad input.",
    )
    cli.add_argument("--engine", action="append", required=True, metavar="URL", help="where /metrics is; repeat it")
    cli.add_argument("--upstream", action="append", metavar="NAME", help="whose rows to compare; repeat it (all)")
    start = cli.add_mutually_exclusive_group()
    start.add_argument("--from", dest="start", type=_moment, metavar="MOMENT", help="when they began to count")
    start.add_argument("--since", metavar="FILE", help="compare what was added since this baseline")
    start.add_argument("--save", metavar="FILE", help="write a baseline, and compare nothing")
    cli.add_argument(
        "--wait-s", type=non_negative_number, default=30.0, metavar="S", help="for calls to end (%(default)s)"
    )
    cli.set_defaults(ask=_reconcile, show=_report, note=_note, exit_code=_exit_code)


async def _reconcile(client: AdminClient, options: argparse.Namespace) -> Any:
    addresses = {url: _address(url) for url in options.engine}
    baseline = None if options.since is None else _read(Path(options.since))
    deadline_s = asyncio.get_running_loop().time() + options.wait_s
    pool = ConnectionPool(connect_timeout_s=_SCRAPE_TIMEOUT_S)
    try:
        scraper = _Engines(addresses, pool)
        since = options.start or (baseline.at if baseline is not None else None)
        if since is None:
            # Of a baseline nothing is compared yet.
            since = datetime.now(UTC) if options.save else _first_start(await scraper.counters())
        query = {"since": since.isoformat(), "upstream": ",".join(options.upstream or [])}
        while True:
            before = await scraper.counters()
            page = await client.get("/usage/engines", query)
            engines = await scraper.counters()
            settled = before == engines and not any(each.busy for each in engines) and not page["waiting_rows"]
            if settled or asyncio.get_running_loop().time() >= deadline_s:
                break
            await asyncio.sleep(_PAUSE_S)
    finally:
        await pool.aclose()
    if options.save is not None:
        return _saved(Path(options.save), engines, settled=settled)
    return compared(engines if baseline is None else baseline.subtracted(engines), page, settled=settled)


class _Engines:
    def __init__(self, addresses: dict[str, Address], pool: ConnectionPool) -> None:
        self._clients = {url: OpenAIClient(address=address, pool=pool) for url, address in addresses.items()}

    async def counters(self) -> list[EngineCounters]:
        """Raises Unreachable."""
        return [await self._of(url, client) for url, client in self._clients.items()]

    async def _of(self, url: str, client: OpenAIClient) -> EngineCounters:
        try:
            async with asyncio.timeout(_SCRAPE_TIMEOUT_S):
                answer = await client.get(_METRICS, above_api=True)
            if answer.status != 200:
                raise Unreachable(f"{url}{_METRICS} answers {answer.status}.")
            return counters_in(url, answer.body.decode())
        except TimeoutError as error:
            raise Unreachable(f"{url}{_METRICS} has not answered within {_SCRAPE_TIMEOUT_S:g} s.") from error
        except OSError as error:
            raise Unreachable(f"{url}{_METRICS} cannot be reached: {error}.") from error
        except ValueError as error:
            raise Unreachable(f"{url}{_METRICS} is no engine's: {error}.") from error


def _address(url: str) -> Address:
    return Address.of(url.removesuffix(_METRICS), option="--engine")


def _first_start(engines: Sequence[EngineCounters]) -> datetime:
    silent = [each.url for each in engines if each.started_s is None]
    if silent:
        raise InputError(f"{silent[0]} does not say when it was started: give --from, or --since with a baseline.")
    return datetime.fromtimestamp(min(each.started_s or 0.0 for each in engines) - _START_MARGIN_S, UTC)


def _read(path: Path) -> Baseline:
    try:
        return Baseline.decoded(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read --since {path}: {error}.") from error


def _saved(path: Path, engines: Sequence[EngineCounters], *, settled: bool) -> dict[str, Any]:
    baseline = Baseline(at=datetime.now(UTC), engines=tuple(engines))
    try:
        path.write_text(baseline.encoded(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write --save {path}: {error.strerror}.") from error
    return {"saved": str(path), "at": baseline.at.isoformat(), "settled": settled, "engines": []}


def _report(answer: Any) -> str:
    if "saved" in answer:
        return f"Saved what the engines had counted at {answer['at']} to {answer['saved']}."
    return reconciliation_report(answer)


def _note(answer: Any) -> str:
    return reconciliation_note(answer)


def _exit_code(answer: Any) -> int:
    return EXIT_OK if answer.get("equal", answer["settled"]) else EXIT_FAILED


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - it is refused below
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment with a time zone, such as 2026-11-30T00:00:00Z")
    return moment
