"""`cache stats`, `cache purge` and `cache explain`."""

from __future__ import annotations

import argparse
from typing import Any

from api.admin.cache_reports import explain_report, purge_report, stats_report
from api.admin.command_groups import Groups, commands_of
from api.admin.gateway import AdminClient


def add_to(groups: Groups) -> None:
    commands = commands_of(groups, "cache", help_="the answer cache")
    stats = commands.add_parser("stats", help="what the cache holds, tenant by tenant")
    stats.add_argument("--tenant", help="only this one (default: all that there are)")
    stats.set_defaults(ask=_stats, show=stats_report)

    purge = commands.add_parser("purge", help="remove answers, and keep those under way from being stored")
    purge.add_argument("--tenant", required=True, help="whose answers; '*' for every tenant")
    scope = purge.add_mutually_exclusive_group()
    scope.add_argument("--tag", help="only those with it: entity:Apple, 'period:Q3 2024', model:NAME")
    scope.add_argument("--corpus-version", metavar="VERSION", help="only those of this X-Corpus-Version")
    purge.set_defaults(ask=_purge, show=purge_report)

    explain = commands.add_parser("explain", help="why two questions do or do not share an answer")
    explain.add_argument("a", metavar="QUESTION")
    explain.add_argument("b", metavar="QUESTION")
    explain.set_defaults(ask=_explain, show=explain_report)


async def _stats(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.get("/cache/stats", {"tenant": options.tenant})


async def _purge(client: AdminClient, options: argparse.Namespace) -> Any:
    scope = {"tenant": options.tenant, "tag": options.tag, "corpus_version": options.corpus_version}
    return await client.post("/cache/purge", scope)


async def _explain(client: AdminClient, options: argparse.Namespace) -> Any:
    return await client.post("/cache/explain", {"a": options.a, "b": options.b})
