"""`usage` and `audit`."""

from __future__ import annotations

import argparse
from typing import Any

from api.admin.command_groups import Groups
from api.admin.gateway import AdminClient
from api.admin.usage_reports import audit_report, usage_note, usage_report
from serving.tools.command_line import positive_int

_GROUPS = "tenant, key, model, day, upstream, outcome, cache_tier"


def add_to(groups: Groups) -> None:
    usage = groups.add_parser("usage", help="requests, tokens and cost")
    usage.add_argument("--from", dest="first", metavar="DAY", help="such as 2026-11-01 (the first of --to's month)")
    usage.add_argument("--to", dest="last", metavar="DAY", help="included (today)")
    usage.add_argument("--group-by", default="tenant", metavar="LIST", help=f"by commas: {_GROUPS} (%(default)s)")
    usage.add_argument("--tenant", help="only this one's")
    usage.add_argument("--csv", action="store_true", help="print CSV, with decimals in full")
    usage.set_defaults(ask=_usage, show=usage_report, note=usage_note)

    audit = groups.add_parser("audit", help="who changed what, and what was refused; the newest first")
    audit.add_argument("--tenant", help="only changes of this one")
    audit.add_argument("--since", metavar="MOMENT", help="such as 2026-11-01T00:00:00Z")
    audit.add_argument("--before-id", metavar="ID", help="go on before this entry")
    audit.add_argument("--limit", type=positive_int, metavar="N", help="entries, 1000 at the most (100)")
    audit.set_defaults(ask=_audit, show=audit_report)


async def _usage(client: AdminClient, options: argparse.Namespace) -> Any:
    query = {
        "from": options.first,
        "to": options.last,
        "group_by": options.group_by,
        "tenant": options.tenant,
    }
    if options.csv and not options.json:
        return await client.get_text("/usage", {**query, "format": "csv"})
    return await client.get("/usage", {**query, "format": "json"})


async def _audit(client: AdminClient, options: argparse.Namespace) -> Any:
    limit = None if options.limit is None else str(options.limit)
    query = {"tenant": options.tenant, "since": options.since, "before_id": options.before_id, "limit": limit}
    return await client.get("/audit", query)
