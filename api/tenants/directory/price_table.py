"""What a call of some moment costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from api.tenants.directory.rows import PriceRow
from serving.catalogue.base import Model, Price


class PriceTable:
    """The periods of each model, in order; a look-up costs well below a microsecond."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, float], PriceRow] = {}
        self._periods: dict[str, tuple[list[datetime], list[tuple[datetime | None, Price]]]] = {}

    def rows(self) -> list[PriceRow]:
        return list(self._rows.values())

    def apply(self, rows: Iterable[PriceRow]) -> None:
        """Add periods, or put them in place of those with the same beginning."""
        models = set()
        for row in rows:
            self._rows[row.model, row.from_s] = row
            models.add(row.model)
        self._order(models)

    def keep(self, places: AbstractSet[tuple[str, float]]) -> None:
        """Forget all periods but these, each named by its model and its beginning in seconds since 1970."""
        gone = self._rows.keys() - places
        for place in gone:
            del self._rows[place]
        self._order({model for model, _ in gone})

    def _order(self, models: Iterable[str]) -> None:
        for model in models:
            ordered = sorted((row for row in self._rows.values() if row.model == model), key=lambda row: row.from_s)
            self._periods[model] = ([_moment(row.from_s) for row in ordered], [_period(row) for row in ordered])

    def price(self, model: str, at: datetime) -> Price | None:
        """None: no period holds then."""
        known = self._periods.get(model)
        if known is None:
            return None
        begins, periods = known
        place = bisect_right(begins, at)
        if place == 0:
            return None
        until, price = periods[place - 1]
        return price if until is None or at < until else None


class DirectoryPrices:
    """The directory's prices, and where it has none those of the models file."""

    def __init__(self, table: Callable[[], PriceTable]) -> None:
        self._table = table

    def price_of(self, model: Model, at: datetime) -> Price:
        """`at` is aware. The name of a wildcard model is `*`, whatever name the client used."""
        price = self._table().price(model.name, at)
        return model.price if price is None else price


def _period(row: PriceRow) -> tuple[datetime | None, Price]:
    price = Price(prefill=float(row.prefill_usd), decode=float(row.decode_usd), cached=float(row.cached_usd))
    return None if row.until_s is None else _moment(row.until_s), price


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
