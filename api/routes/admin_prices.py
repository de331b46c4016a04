"""`/admin/v1/prices`: what a million tokens of a model cost, and from when until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.errors import InvalidRequest
from api.routes.admin_access import ADMIN_PREFIX
from api.routes.admin_actions import admin_actor, administered
from api.routes.admin_fields import Body, Currency, ModelName, Moment, Parameters, PriceUsd, Usd
from api.routes.admin_parts import AdminParts
from api.tenants.types import USD, Actor, PricePeriod

BY = Depends(admin_actor)


class NewPrice(Body):
    model: ModelName
    prefill_usd: PriceUsd
    decode_usd: PriceUsd
    cached_usd: PriceUsd
    currency: Currency = USD
    valid_from: Moment
    valid_until: Moment | None = None
    """Left out: until a later period begins."""


class OfModel(Parameters):
    model: ModelName | None = None


class OnePeriod(Parameters):
    model: ModelName
    valid_from: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePage:
    """US dollars for a million tokens."""

    model: str
    prefill_usd: Usd
    decode_usd: Usd
    cached_usd: Usd
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    prices: list[PricePage]


def admin_prices_router(parts: AdminParts) -> APIRouter:
    """Behind `AdminGate`, which has authenticated whoever gets here."""
    router = APIRouter(prefix=f"{ADMIN_PREFIX}/prices", tags=["admin"])

    @router.get("", name="price.list", summary="Prices, with the periods in which they hold")
    async def prices(query: Annotated[OfModel, Query()], by: Actor = BY) -> PriceList:
        with administered("price.list", by, model=query.model):
            if query.model is not None:
                parts.check_model(query.model)
            return PriceList(prices=[_page(price) for price in await parts.directory.prices(query.model)])

    @router.post("", name="price.set", summary="A model's price from a moment on", status_code=201)
    async def post(body: NewPrice, by: Actor = BY) -> PricePage:
        with administered("price.set", by, model=body.model):
            parts.check_model(body.model)
            if body.valid_until is not None and body.valid_until <= body.valid_from:
                text = "A price's period must end after it begins."
                raise InvalidRequest(text, param="valid_until", code="invalid_value")
            price = PricePeriod(**body.model_dump(exclude={"currency"}))
            return _page(await parts.directory.set_price(price, by=by))

    @router.delete("", name="price.remove", summary="Remove a price that has not begun", status_code=204)
    async def remove(query: Annotated[OnePeriod, Query()], by: Actor = BY) -> None:
        # Of any model: the models file may have lost the one whose price is to go.
        with administered("price.remove", by, model=query.model):
            await parts.directory.remove_price(query.model, query.valid_from, by=by)

    return router


def _page(price: PricePeriod) -> PricePage:
    return PricePage(
        model=price.model,
        prefill_usd=price.prefill_usd,
        decode_usd=price.decode_usd,
        cached_usd=price.cached_usd,
        valid_from=price.valid_from,
        valid_until=price.valid_until,
    )
