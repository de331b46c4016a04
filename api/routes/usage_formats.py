"""A report of usage as JSON and as CSV. Money is written out, without an exponent, and so read exactly."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import msgspec
from fastapi.responses import Response

from api.usage.types import UsageReport, UsageSums

CSV_TYPE = "text/csv"
EVERYTHING = "*"
"""In a CSV's last line, in place of its groups: no tenant can be called so."""
WAITING_HEADER = "X-Usage-Waiting-Rows"
_SUMS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "saved_tokens", "saved_usd", "cost_usd")


def as_json(report: UsageReport, waiting: int | None) -> Response:
    query = report.query
    page = {
        "from": query.first,
        "to": query.last,
        "group_by": list(query.group_by),
        "tenant": query.tenant,
        "waiting_rows": waiting,
        "rows": [
            {**{each.value: name for each, name in line.group.items()}, **_sums(line.sums)} for line in report.lines
        ],
        "total": _sums(report.total),
    }
    return Response(msgspec.json.encode(page), media_type="application/json")


def as_csv(report: UsageReport, waiting: int | None) -> Response:
    """A header, the lines, and the total."""
    out = io.StringIO()
    writer = csv.writer(out)
    groups = [each.value for each in report.query.group_by]
    writer.writerow([*groups, *_SUMS])
    writer.writerows([*line.group.values(), *_sums(line.sums).values()] for line in report.lines)
    writer.writerow([*(EVERYTHING for _ in groups), *_sums(report.total).values()])
    headers = {} if waiting is None else {WAITING_HEADER: str(waiting)}
    return Response(out.getvalue(), headers=headers, media_type=CSV_TYPE)


def _sums(sums: UsageSums) -> dict[str, Any]:
    found = {name: getattr(sums, name) for name in _SUMS}
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in found.items()}
