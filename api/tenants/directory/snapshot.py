"""The directory as one worker knows it: pure, and cheap to ask."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from msgspec import Struct

from api.call import Caller
from api.tenants.directory.price_table import PriceTable
from api.tenants.directory.rows import BudgetRow, DirectoryRow, KeyRow, LimitRow, PriceRow, TenantRow
from api.tenants.types import Budget, Lane
from resilience.limiter.base import UNLIMITED, Quota, Window, WindowKind

_states = itertools.count(1)
_ModelWindows = dict[str, tuple[Window, ...]]


class KnownKey(Struct, gc=False):
    """A key and the caller behind it, which is made when the key is first used.

    There may be 100,000: the garbage collector need not look at them, as nothing in them leads back to them.
    """

    digest: bytes
    id: str
    tenant: str
    lane: str | None = None
    expires_s: float | None = None
    caller: Caller | None = None
    made_of: int = 0
    """The state of the tenant that `caller` was made of."""


class KnownTenant:
    """`state` is another number after each change, of any tenant: what was made of an earlier one is stale."""

    __slots__ = ("_budget", "_limits", "_shared", "row", "state")

    def __init__(self, row: TenantRow) -> None:
        self._limits: dict[str | None, dict[str | None, LimitRow]] = {}
        self._budget: BudgetRow | None = None
        self._shared: tuple[tuple[Window, ...], _ModelWindows] | None = None
        self.set(row)

    def set(self, row: TenantRow) -> None:
        self.row = row
        self._has_changed()

    def set_limit(self, row: LimitRow) -> None:
        of_key = self._limits.setdefault(row.key_id, {})
        of_key[row.model] = row
        if row.requests_per_minute is None and row.tokens_per_minute is None:
            del of_key[row.model]
        self._has_changed()

    def set_budget(self, row: BudgetRow) -> None:
        self._budget = None if row.amount_nano is None else row
        self._has_changed()

    def rows(self) -> Iterator[DirectoryRow]:
        yield self.row
        for of_key in self._limits.values():
            yield from of_key.values()
        if self._budget is not None:
            yield self._budget

    def caller(self, key: KnownKey, default: Quota) -> Caller:
        """`default`: of a key without a limit of its own."""
        if self._shared is None:  # once for all keys of the tenant
            self._shared = self._tenant_windows()
        tenant_windows, tenant_models = self._shared
        key_windows, key_models = self._key_windows(key.id)
        amount = None if self._budget is None else self._budget.amount_nano
        return Caller(
            tenant=self.row.name,
            key_id=key.id,
            windows=(key_windows or (Window(key.id, default),)) + tenant_windows,
            model_windows=_joined(key_models, tenant_models) if key_models else tenant_models,
            weight=self.row.weight,
            lane=Lane(key.lane or self.row.lane),
            budget=None if self._budget is None or amount is None else Budget(amount, self._budget.soft_share),
        )

    def _tenant_windows(self) -> tuple[tuple[Window, ...], _ModelWindows]:
        """Of all calls (none or one), and of the calls to each model."""
        name = _quoted(self.row.name)
        of_all: tuple[Window, ...] = ()
        of_models: _ModelWindows = {}
        for model, row in self._limits.get(None, {}).items():
            if model is None:
                of_all = (Window(f"t:{name}", _quota(row), WindowKind.TENANT),)
            else:
                of_models[model] = (Window(f"tm:{_quoted(model)}:{name}", _quota(row), WindowKind.MODEL),)
        return of_all, of_models

    def _key_windows(self, key_id: str) -> tuple[tuple[Window, ...], _ModelWindows]:
        """As of the tenant."""
        of_all: tuple[Window, ...] = ()
        of_models: _ModelWindows = {}
        for model, row in self._limits.get(key_id, {}).items():
            if model is None:
                of_all = (Window(key_id, _quota(row)),)
            else:
                of_models[model] = (Window(f"m:{_quoted(model)}:{_quoted(key_id)}", _quota(row), WindowKind.MODEL),)
        return of_all, of_models

    def _has_changed(self) -> None:
        self.state = next(_states)
        self._shared = None


class Snapshot:
    """What is known at `version`. Rows may be applied more than once.

    A tenant comes before what is its own, which otherwise nobody has.
    """

    def __init__(self) -> None:
        self.version = -1
        self.keys: dict[bytes, KnownKey] = {}
        self.tenants: dict[str, KnownTenant] = {}
        self.prices = PriceTable()

    def apply(self, rows: Iterable[DirectoryRow]) -> None:
        prices = []
        for row in rows:
            match row:
                case KeyRow():
                    self._set_key(row)
                case TenantRow(name=name):
                    known = self.tenants.get(name)
                    if known is None:
                        self.tenants[name] = KnownTenant(row)
                    else:
                        known.set(row)
                case LimitRow(tenant=name) if name in self.tenants:
                    self.tenants[name].set_limit(row)
                case BudgetRow(tenant=name) if name in self.tenants:
                    self.tenants[name].set_budget(row)
                case PriceRow():
                    prices.append(row)
        self.prices.apply(prices)

    def rows(self, *, keys: Iterable[KnownKey]) -> Iterator[DirectoryRow]:
        """What makes this again; of its keys those that are given."""
        for tenant in self.tenants.values():
            yield from tenant.rows()
        yield from self.prices.rows()
        for key in keys:
            yield KeyRow(key.digest, key.id, key.tenant, key.lane, key.expires_s)

    def _set_key(self, row: KeyRow) -> None:
        if row.revoked:
            self.keys.pop(row.digest, None)
            return
        # Each row comes with texts of its own, of which the tenant's name is the same for thousands.
        tenant = self.tenants.get(row.tenant)
        name = row.tenant if tenant is None else tenant.row.name
        lane = None if row.lane is None else sys.intern(row.lane)
        self.keys[row.digest] = KnownKey(row.digest, row.id, name, lane, row.expires_s)


def _joined(first: _ModelWindows, second: _ModelWindows) -> _ModelWindows:
    return {model: first.get(model, ()) + second.get(model, ()) for model in first | second}


def _quota(row: LimitRow) -> Quota:
    return Quota(row.requests_per_minute or UNLIMITED, row.tokens_per_minute or UNLIMITED)


def _quoted(name: str) -> str:
    """Without a colon, so that no name can be taken for two."""
    return quote(name, safe=" @+-._~/", errors="surrogatepass")
