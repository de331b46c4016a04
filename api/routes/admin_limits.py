"""`/admin/v1/limits` and `/admin/v1/budgets`: how much a tenant may use and spend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.errors import InvalidRequest, NotFound
from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import (
    Body,
    BudgetUsd,
    Currency,
    KeyId,
    ModelName,
    Parameters,
    PerMinute,
    SoftShare,
    TenantName,
    Usd,
)
from api.routes.admin_parts import AdminParts, page_of
from api.tenants.types import USD, Actor, Limit, TenantBudget
from api.usage.errors import UsageAway
from api.usage.types import Spending

BY = Depends(admin_actor)
MAX_LIMITS_OF_A_PAGE = 1_000
MAX_SKIPPED = 100_000_000


class NewLimit(Body):
    """Of a tenant; with `key_id` of one of its keys; with `model` of either to this model alone."""

    tenant: TenantName
    key_id: KeyId | None = None
    model: ModelName | None = None
    requests_per_minute: PerMinute | None = None
    """Left out: not limited."""
    tokens_per_minute: PerMinute | None = None
    """Left out: not limited."""


class LimitOf(Parameters):
    tenant: TenantName
    key_id: KeyId | None = None
    model: ModelName | None = None


class NewBudget(Body):
    tenant: TenantName
    amount_usd: BudgetUsd
    currency: Currency = USD
    soft_share: SoftShare = 0.8


class OfTenant(Parameters):
    tenant: TenantName | None = None


class LimitsOf(OfTenant):
    skip: Annotated[int, Field(ge=0, le=MAX_SKIPPED)] = 0
    """So many of the first: `next_skip` of the page before."""
    limit: Annotated[int, Field(ge=1, le=MAX_LIMITS_OF_A_PAGE)] = MAX_LIMITS_OF_A_PAGE


class OfOneTenant(Parameters):
    tenant: TenantName


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitList:
    limits: list[Limit]
    next_skip: int | None
    """For the next page; None: this is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPage:
    tenant: str
    amount_usd: Usd
    soft_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus(BudgetPage):
    spent_usd: Usd | None
    """This month; None where the stores that know it are away."""
    set_aside_usd: Usd | None
    """For calls that go on; None where only the ledger could be asked, which has what is over."""
    left_usd: Usd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetList:
    month: str
    """In UTC, such as `2026-11`."""
    budgets: list[BudgetStatus]


def admin_limits_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/limits", tags=["admin"])
    directory = parts.directory

    @router.get("", name="limit.list", summary="Limits of requests and tokens")
    async def limits(query: Annotated[LimitsOf, Query()], by: Actor = BY) -> LimitList:
        with administered("limit.list", by, tenant=query.tenant):
            found = await directory.limits(query.tenant, skip=query.skip, most=query.limit + 1)
            shown, last = page_of(found, query.limit)
            return LimitList(limits=shown, next_skip=query.skip + len(shown) if last is not None else None)

    @router.put("", name="limit.set", summary="Set a limit, in place of the one there is")
    async def put(body: NewLimit, by: Actor = BY) -> Limit:
        with administered("limit.set", by, tenant=body.tenant, key=body.key_id, model=body.model):
            if body.requests_per_minute is None and body.tokens_per_minute is None:
                text = "A limit needs requests_per_minute or tokens_per_minute; DELETE removes one."
                raise InvalidRequest(text, param="requests_per_minute", code="missing_required_parameter")
            await parts.tenant(body.tenant)
            if body.key_id is not None:
                await parts.key_of(body.tenant, body.key_id)
            if body.model is not None:
                parts.check_model(body.model)
            return await directory.set_limit(Limit(**body.model_dump()), by=by)

    @router.delete("", name="limit.remove", summary="Remove a limit", status_code=204)
    async def remove(query: Annotated[LimitOf, Query()], by: Actor = BY) -> None:
        with administered("limit.remove", by, tenant=query.tenant, key=query.key_id, model=query.model):
            await parts.tenant(query.tenant)
            gone = Limit(**query.model_dump(), requests_per_minute=None, tokens_per_minute=None)
            if await directory.limit(query.tenant, key_id=query.key_id, model=query.model) is None:
                raise NotFound("There is no such limit.", param="tenant", code="limit_not_found")
            await directory.set_limit(gone, by=by)

    return router


def admin_budgets_router(parts: AdminParts) -> APIRouter:
    """Idem."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/budgets", tags=["admin"])
    directory = parts.directory

    @router.get("", name="budget.list", summary="Budgets of this month, and what is left of them")
    async def budgets(query: Annotated[OfTenant, Query()], by: Actor = BY) -> BudgetList:
        with administered("budget.list", by, tenant=query.tenant):
            if query.tenant is not None:
                await parts.tenant(query.tenant)
            month = datetime.now(UTC).date()
            found = [budget for budget in await directory.budgets() if query.tenant in (None, budget.tenant)]
            live = await parts.spending.spending([budget.tenant for budget in found])
            # What decides about calls, where it can be asked; what is booked otherwise.
            booked = None if len(live) == len(found) else await _booked(parts, month)
            statuses = [_status(budget, live.get(budget.tenant), booked) for budget in found]
            return BudgetList(month=f"{month:%Y-%m}", budgets=statuses)

    @router.put("", name="budget.set", summary="Set a tenant's budget for each month")
    async def put(body: NewBudget, by: Actor = BY) -> BudgetPage:
        with administered("budget.set", by, tenant=body.tenant):
            await parts.tenant(body.tenant)
            await directory.set_budget(body.tenant, amount_usd=body.amount_usd, soft_share=body.soft_share, by=by)
            return BudgetPage(tenant=body.tenant, amount_usd=body.amount_usd, soft_share=body.soft_share)

    @router.delete("", name="budget.remove", summary="Let a tenant spend without a budget", status_code=204)
    async def remove(query: Annotated[OfOneTenant, Query()], by: Actor = BY) -> None:
        with administered("budget.remove", by, tenant=query.tenant):
            await parts.tenant(query.tenant)
            found = [budget for budget in await directory.budgets() if budget.tenant == query.tenant]
            if not found:
                text = f"The tenant {query.tenant!r} has no budget."
                raise NotFound(text, param="tenant", code="budget_not_found")
            await directory.set_budget(query.tenant, amount_usd=None, soft_share=found[0].soft_share, by=by)

    return router


async def _booked(parts: AdminParts, month: date) -> Mapping[str, Decimal] | None:
    try:
        return await parts.usage.month_costs(month)
    except UsageAway:
        return None


def _status(budget: TenantBudget, live: Spending | None, booked: Mapping[str, Decimal] | None) -> BudgetStatus:
    spent = live.spent_usd if live is not None else None
    if spent is None and booked is not None:
        spent = booked.get(budget.tenant, Decimal(0))
    set_aside = None if live is None else live.set_aside_usd
    return BudgetStatus(
        tenant=budget.tenant,
        amount_usd=budget.amount_usd,
        soft_share=budget.soft_share,
        spent_usd=spent,
        set_aside_usd=set_aside,
        left_usd=None if spent is None else max(Decimal(0), budget.amount_usd - spent - (set_aside or Decimal(0))),
    )
