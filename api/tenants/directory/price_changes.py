"""Prices in Postgres."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta

import msgspec
from psycopg.sql import SQL

from api.tenants.directory import checked
from api.tenants.directory.changes import AuditLine, Change
from api.tenants.directory.price_periods import placed
from api.tenants.errors import InvalidValue, NoSuchPrice, PriceBegun
from api.tenants.types import PricePeriod

_COLUMNS = SQL("model, prefill_usd, decode_usd, cached_usd, valid_from, valid_until")
_ADD = SQL("""
INSERT INTO prices ({}, version)
VALUES (%(model)s, %(prefill_usd)s, %(decode_usd)s, %(cached_usd)s, %(valid_from)s, %(valid_until)s, %(version)s)
RETURNING {}
""").format(_COLUMNS, _COLUMNS)

_END = """
UPDATE prices SET valid_until = %(valid_until)s, version = %(version)s
WHERE model = %(model)s AND valid_from = %(valid_from)s
"""
_REMOVE = "DELETE FROM prices WHERE model = %(model)s AND valid_from = %(valid_from)s"
# Workers hear of it within a second, and their clocks may go before.
_BEGUN_WITHIN = timedelta(seconds=5)


async def periods(change: Change, *, model: str | None) -> list[PricePeriod]:
    rows = await change.rows(
        SQL(
            "SELECT {} FROM prices WHERE %(model)s::text IS NULL OR model = %(model)s ORDER BY model, valid_from"
        ).format(_COLUMNS),
        {"model": model},
    )
    return [PricePeriod(**row) for row in rows]


async def set_price(change: Change, *, price: PricePeriod) -> PricePeriod:
    """Raises PriceGap, PriceOverlap and InvalidValue."""
    placement = placed(_checked(price), await periods(change, model=price.model))
    new, closed = placement.period, placement.closed
    if closed is not None:
        await change.rows(_END, asdict(replace(closed, valid_until=new.valid_from)))
    row = await change.the_row(_ADD, asdict(new))
    stored = PricePeriod(**row)
    change.line = AuditLine(
        action="price.set",
        subject=new.model,
        before=None if closed is None else msgspec.to_builtins(closed),
        after=msgspec.to_builtins(stored),
    )
    return stored


async def remove_price(change: Change, *, model: str, valid_from: datetime) -> None:
    """Of a period that has not begun. Raises NoSuchPrice, PriceBegun and InvalidValue."""
    begin = checked.moment(valid_from, param="valid_from")
    known = await periods(change, model=model)
    place = next((number for number, period in enumerate(known) if period.valid_from == begin), None)
    if place is None:
        raise NoSuchPrice(f"{model} has no price that begins then.", param="valid_from")
    removed = known[place]
    now = (await change.the_row("SELECT clock_timestamp() + %(margin)s AS now", {"margin": _BEGUN_WITHIN}))["now"]
    if begin <= now:
        raise PriceBegun("The price has begun: calls may have been billed with it.", param="valid_from")
    before, after = [removed], list[PricePeriod]()
    if place > 0:
        earlier = known[place - 1]
        before, after = [earlier, removed], [replace(earlier, valid_until=removed.valid_until)]
    await change.rows(_REMOVE, {"model": model, "valid_from": begin})
    for period in after:
        await change.rows(_END, asdict(period))
    change.line = AuditLine(
        action="price.remove",
        subject=model,
        before={"periods": msgspec.to_builtins(before)},
        after={"periods": msgspec.to_builtins(after)},
    )


def _checked(price: PricePeriod) -> PricePeriod:
    valid_from = checked.moment(price.valid_from, param="valid_from")
    valid_until = None if price.valid_until is None else checked.moment(price.valid_until, param="valid_until")
    if valid_until is not None and valid_until <= valid_from:
        raise InvalidValue("valid_until must be later than valid_from.", param="valid_until")
    return PricePeriod(
        model=checked.name(price.model, param="model"),
        prefill_usd=checked.price_usd(price.prefill_usd, param="prefill_usd"),
        decode_usd=checked.price_usd(price.decode_usd, param="decode_usd"),
        cached_usd=checked.price_usd(price.cached_usd, param="cached_usd"),
        valid_from=valid_from,
        valid_until=valid_until,
    )
