"""What can be wrong with a change of tenants, keys, limits, budgets and prices.

DirectoryError
├── DirectoryAway           Postgres is away or late: it may have been done or not
├── NoSuchTenant
├── NoSuchKey
├── TenantExists
├── TenantDisabled
├── KeyEnded                it is revoked, expired or replaced
├── InvalidValue            what no tenant, key, limit, budget or price can have
├── PriceGap                time without a price between two periods
├── PriceOverlap            two prices at one time
├── NoSuchPrice
└── PriceBegun              calls may have been billed with it
"""

from __future__ import annotations


class DirectoryError(Exception):
    """The message is one sentence for whoever asked; `param` is the name of what was wrong."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class DirectoryAway(DirectoryError):
    pass


class NoSuchTenant(DirectoryError):
    pass


class NoSuchKey(DirectoryError):
    pass


class TenantExists(DirectoryError):
    pass


class TenantDisabled(DirectoryError):
    pass


class KeyEnded(DirectoryError):
    pass


class InvalidValue(DirectoryError):
    pass


class PriceGap(DirectoryError):
    pass


class PriceOverlap(DirectoryError):
    pass


class NoSuchPrice(DirectoryError):
    pass


class PriceBegun(DirectoryError):
    pass
