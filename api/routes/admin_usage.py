"""`/admin/v1/usage`: what was used and what it cost, as JSON and as CSV; and what engines did, to compare with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import AfterValidator, Field
from starlette.requests import Request

from api.errors import InvalidRequest
from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import Day, Moment, Parameters, TenantName, Usd
from api.routes.admin_parts import AdminParts
from api.routes.usage_formats import CSV_TYPE, as_csv, as_json
from api.tenants.types import Actor
from api.usage.types import EngineWork, Grouping, UsageQuery

BY = Depends(admin_actor)


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


def _checked_groups(text: str) -> str:
    names = _groups(text)
    known = [grouping.value for grouping in Grouping]
    for name in names:
        if name not in known:
            raise ValueError(f"{name[:50]!r} is none of {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ValueError("must name each group once")
    return text


def _groups(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")] if text.strip() else []


class UsageOf(Parameters):
    first: Annotated[
        Day | None, Field(alias="from", description="First day, in UTC; else the first of `to`'s month")
    ] = None
    last: Annotated[Day | None, Field(alias="to", description="Last day, in UTC, included; else today")] = None
    group_by: Annotated[
        str,
        Field(max_length=200, description="Any of tenant, key, model, day, upstream, outcome, cache_tier, by commas"),
        AfterValidator(_checked_groups),
    ] = Grouping.TENANT.value
    tenant: TenantName | None = None
    format: Format | None = None

    def query(self, today: date) -> UsageQuery:
        """Raises InvalidRequest."""
        last = self.last or max(today, self.first or today)
        first = self.first or last.replace(day=1)
        if first > last:
            raise InvalidRequest(f"'from' ({first}) is after 'to' ({last}).", param="from", code="invalid_value")
        groups = tuple(Grouping(name) for name in _groups(self.group_by))
        return UsageQuery(first=first, last=last, group_by=groups, tenant=self.tenant)


class EngineWorkOf(Parameters):
    since: Moment
    upstream: Annotated[str, Field(max_length=4_000, description="Names of upstreams by commas; else all")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumsPage:
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    saved_tokens: int
    saved_usd: Usd
    cost_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRowPage(SumsPage):
    """With those of these by which the report is grouped."""

    tenant: str | None = None
    key: str | None = None
    model: str | None = None
    day: date | None = None
    upstream: str | None = None
    outcome: str | None = None
    cache_tier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePage:
    """Money is text, exact."""

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    group_by: list[Grouping]
    tenant: str | None
    waiting_rows: int | None
    """On their way into the ledger and not in these sums; null where nobody can say."""
    rows: list[UsageRowPage]
    total: SumsPage


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWorkPage:
    since: datetime
    waiting_rows: int | None
    work: list[EngineWork]


_REPORT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The report", "content": {CSV_TYPE: {"schema": {"type": "string"}}}}
}


def admin_usage_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/usage", tags=["admin"])

    @router.get(
        "",
        name="usage.report",
        summary="Requests, tokens and cost, in groups",
        response_model=UsagePage,
        responses=_REPORT,
    )
    async def usage(asked: Annotated[UsageOf, Query()], request: Request, by: Actor = BY) -> Response:
        with administered("usage.report", by, tenant=asked.tenant):
            query = asked.query(datetime.now(UTC).date())
            # Before the sums: what is written meanwhile is in them, and is said to wait, not the other way round.
            waiting = await parts.waiting.waiting()
            report = await parts.usage.report(query)
            if query.tenant is not None and not report.lines:
                await _check_tenant(parts, query.tenant)
            wants_csv = (asked.format or _accepted(request)) is Format.CSV
            encode = as_csv if wants_csv else as_json
            # Long ones take a while, and others wait for the event loop.
            return await asyncio.to_thread(encode, report, waiting)

    @router.get("/engines", name="usage.engines", summary="What engines did since a moment, as the ledger has it")
    async def engines(asked: Annotated[EngineWorkOf, Query()], by: Actor = BY) -> EngineWorkPage:
        with administered("usage.engines", by):
            wanted = _upstreams(parts, asked.upstream)
            waiting = await parts.waiting.waiting()
            work = [each for each in await parts.usage.engine_work(asked.since) if each.upstream in wanted]
            return EngineWorkPage(since=asked.since, waiting_rows=waiting, work=work)

    return router


async def _check_tenant(parts: AdminParts, name: str) -> None:
    """Raises NoSuchTenant where nothing is known of it: no usage is another thing than a mistyped name."""
    if name not in parts.configured_tenants:
        await parts.tenant(name)


def _accepted(request: Request) -> Format:
    """What the client would rather have; JSON where it does not matter to it."""
    offered = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return Format.CSV if CSV_TYPE in offered and "application/json" not in offered else Format.JSON


def _upstreams(parts: AdminParts, text: str) -> set[str]:
    """Those named, or all that are engines of their own: a model in the gateway itself has no counters to compare with.

    Raises InvalidRequest for a name that the models file does not have.
    """
    known = {each.name: each for model in parts.catalogue.models for each in model.upstreams}
    names = _groups(text)
    for name in names:
        if name not in known:
            raise InvalidRequest(f"The models file has no upstream {name!r}.", param="upstream", code="invalid_value")
    return set(names) or {name for name, upstream in known.items() if upstream.builtin is None}
