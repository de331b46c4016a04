"""What the kills have cost the ledger, with verdicts: lost, twice, wrong, and tokens by cause. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.figures import Figure, Goal
from bench.published import Published, csv_text
from bench.report import Report
from bench.tables import table
from bench.tenants.clients import Asked, End
from bench.tenants.faults import counts
from bench.tenants.kills import ENGINE, USERS, Result
from bench.tenants.ledger import Row

_NONE = Goal(at_most=0)
_CAUSES = (
    "Calls that ended well are billed what the engine said, so all of the difference is of calls that did not. Their "
    "prompts are estimated, and billed where the engine had the request, also where it had not come to compute it: the "
    "ledger has more. Of their answers the ledger has what had come to the gateway when the client left, or what the "
    "killed worker had noted last, and the engine goes on for a moment: the ledger has less."
)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Of one drill."""

    lost: tuple[str, ...]
    """Request ids of whole answers without a row."""
    unbilled: tuple[str, ...]
    """Of answers that had begun, and ended early, without a row."""
    twice: tuple[str, ...]
    """With more than one row."""
    wrong: tuple[str, ...]
    """Whose row has other tokens than their client was told."""
    exact_prompt: int
    exact_completion: int
    """Tokens of rows with the engine's own count."""
    estimated_prompt: int
    estimated_completion: int
    """Of rows without: the client left, or the worker was killed."""


def findings(asked: Sequence[Asked], rows: Sequence[Row]) -> Findings:
    by_request: dict[str, list[Row]] = {}
    for row in rows:
        by_request.setdefault(row.request_id, []).append(row)
    whole = [one for one in asked if one.end is End.WHOLE]
    exact, estimated = [row for row in rows if not row.estimated], [row for row in rows if row.estimated]
    return Findings(
        lost=tuple(one.request_id for one in whole if one.request_id not in by_request),
        unbilled=tuple(
            one.request_id
            for one in asked
            if one.end is not End.WHOLE and one.first_s is not None and one.request_id not in by_request
        ),
        twice=tuple(request_id for request_id, found in by_request.items() if len(found) > 1),
        wrong=tuple(
            one.request_id
            for one in whole
            for row in by_request.get(one.request_id, ())[:1]
            if (row.prompt_tokens, row.completion_tokens) != (one.prompt_tokens, one.completion_tokens)
        ),
        exact_prompt=sum(row.prompt_tokens for row in exact),
        exact_completion=sum(row.completion_tokens for row in exact),
        estimated_prompt=sum(row.prompt_tokens for row in estimated),
        estimated_completion=sum(row.completion_tokens for row in estimated),
    )


def publish(result: Result) -> Published:
    found = findings(result.asked, result.rows)
    struck = ", ".join(f"{what} {count} times" for what, count in counts(result.strikes).items())
    report = Report(
        title="Kills, and the ledger after them",
        how=(
            f"{len(result.asked):,} requests of {USERS} users through two gateways with two workers each; seed "
            f"{result.seed}. "
            f"Killed with SIGKILL meanwhile: {struck}; stores were away for up to 2 s each time. "
            f"{result.leaves} clients were to leave early. MockLLM with {ENGINE.sequences} sequences at time scale "
            f"{ENGINE.time_scale:g}. Then all was left alone until no row came any more."
        ),
        figures=_figures(result, found),
        parts=[
            "## Tokens: the ledger against the engine's own counters",
            _token_table(result, found),
            "## How requests ended, and what the ledger has of them",
            _ends_table(result),
            "## Rows by outcome",
            _outcome_table(result.rows),
        ],
        raw={"strikes": result.strikes, "findings": found, "engine": result.engine},
    )
    return Published(report=report, tables={"requests": _csv(result)})


def _figures(result: Result, found: Findings) -> list[Figure]:
    def count(name: str, ids: Iterable[str]) -> Figure:
        return Figure(name=name, unit="requests", samples=(float(len(list(ids))),), goal=_NONE)

    ledger = found.exact_prompt + found.exact_completion + found.estimated_prompt + found.estimated_completion
    engine = result.engine.prompt + result.engine.completion
    return [
        count("whole answers without a row", found.lost),
        count("answers that had begun and were cut off, without a row", found.unbilled),
        count("requests with two rows", found.twice),
        count("rows with other tokens than the client was told", found.wrong),
        Figure(name="ledger / engine, all tokens", unit="x", samples=(ledger / engine,)),
        Figure(name="kills", unit="kills", samples=(float(len(result.strikes)),)),
    ]


def _token_table(result: Result, found: Findings) -> str:
    prompt = (found.exact_prompt, found.estimated_prompt, result.engine.prompt)
    completion = (found.exact_completion, found.estimated_completion, result.engine.completion)
    rows = table(
        [
            "tokens",
            "engine",
            "ledger, as the engine said",
            "engine, of calls that ended early",
            "ledger, estimated for those",
            "ledger - engine",
        ],
        [
            [
                name,
                *(f"{value:,}" for value in (engine, exact, engine - exact, estimated)),
                f"{exact + estimated - engine:+,}",
            ]
            for name, (exact, estimated, engine) in (("prompt", prompt), ("completion", completion))
        ],
    )
    return f"{rows}\n\n{_CAUSES}"


def _ends_table(result: Result) -> str:
    with_row = {row.request_id for row in result.rows}
    ends = Counter(one.end for one in result.asked)
    return table(
        ["end, as the client saw it", "requests", "with a row", "without"],
        [
            [
                str(end),
                str(count),
                str(sum(one.end is end and one.request_id in with_row for one in result.asked)),
                str(sum(one.end is end and one.request_id not in with_row for one in result.asked)),
            ]
            for end, count in sorted(ends.items())
        ],
    )


def _outcome_table(rows: Sequence[Row]) -> str:
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.outcome, row.estimated), []).append(row)
    return table(
        ["outcome", "tokens are", "rows", "prompt tokens", "completion tokens"],
        [
            [
                outcome,
                "estimated" if estimated else "the engine's",
                str(len(found)),
                f"{sum(row.prompt_tokens for row in found):,}",
                f"{sum(row.completion_tokens for row in found):,}",
            ]
            for (outcome, estimated), found in sorted(groups.items())
        ],
    )


def _csv(result: Result) -> str:
    by_request = {row.request_id: row for row in result.rows}
    rows = []
    for one in result.asked:
        row = by_request.get(one.request_id)
        billed = (
            ("", "", "", "") if row is None else (row.outcome, row.estimated, row.prompt_tokens, row.completion_tokens)
        )
        told = (one.prompt_tokens, one.completion_tokens)
        rows.append((one.request_id, one.end, one.status, one.code, *told, *billed))
    header = ["request", "end", "status", "code", "told_prompt", "told_completion"]
    return csv_text([*header, "outcome", "estimated", "billed_prompt", "billed_completion"], rows)
