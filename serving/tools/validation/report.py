"""The results as text and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from serving.tools.validation.outcome import CheckResult, Outcome

_MARKS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAILED",
    Outcome.UNSUPPORTED: "unsupported",
    Outcome.SKIPPED: "skipped",
}
_MARK_WIDTH = max(map(len, _MARKS.values()))
_NAME_WIDTH = 14
_MAX_DETAIL = 160


def line_of(result: CheckResult) -> str:
    """One check; its hint, if there is one, in a line of its own."""
    detail = result.detail if len(result.detail) <= _MAX_DETAIL else f"{result.detail[: _MAX_DETAIL - 3]}..."
    took = "" if result.outcome is Outcome.SKIPPED else f"{result.seconds * 1000:.0f} ms"
    line = f"  {_MARKS[result.outcome]:<{_MARK_WIDTH}}  {result.name:<{_NAME_WIDTH}}  {took:>8}  {detail}"
    return f"{line}\n  {'':<{_MARK_WIDTH}}  {'':<{_NAME_WIDTH}}  {'':>8}  hint: {result.hint}" if result.hint else line


def summary_of(results: Sequence[CheckResult]) -> str:
    counts = Counter(result.outcome for result in results)
    seconds = sum(result.seconds for result in results)
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome) + f" in {seconds:.1f} s"


def document_of(
    results: Sequence[CheckResult], *, base_url: str, model: str | None, when: dt.datetime
) -> dict[str, Any]:
    return {
        "date": when.isoformat(timespec="seconds"),
        "base_url": base_url,
        "model": model,
        "healthy": not any_failed(results),
        "checks": [dataclasses.asdict(result) for result in results],
    }


def any_failed(results: Sequence[CheckResult]) -> bool:
    return any(result.outcome is Outcome.FAILED for result in results)
