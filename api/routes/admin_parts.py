"""What the admin API of tenants asks: the stores behind it, and what it looks up before it changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from api.errors import InvalidRequest, UnknownModel
from api.tenants.base import Directory
from api.tenants.errors import NoSuchTenant
from api.tenants.types import ApiKey, Tenant
from api.usage.base import MonthSpending, UsageReports, WaitingRows
from serving.catalogue.base import Catalogue, UnknownModelError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    directory: Directory
    usage: UsageReports
    waiting: WaitingRows
    spending: MonthSpending
    catalogue: Catalogue
    configured_tenants: AbstractSet[str]
    """Those that API_KEYS names, which may have used something without being in the directory."""

    async def tenant(self, name: str) -> Tenant:
        """Raises NoSuchTenant."""
        for tenant in await self.directory.tenants():
            if tenant.name == name:
                return tenant
        raise NoSuchTenant(f"There is no tenant {name!r}.", param="tenant")

    async def key_of(self, tenant: str, key_id: str) -> ApiKey:
        """Raises NoSuchKey, and InvalidRequest for the key of another tenant."""
        found = await self.directory.key(key_id)
        if found.tenant != tenant:
            refuse_another_tenant(f"The key {key_id} is not one of the tenant {tenant!r}.")
        return found

    def check_model(self, name: str) -> None:
        """Raises UnknownModel, and InvalidRequest for an alias: limits and prices are of the model behind it."""
        models = {model.name for model in self.catalogue.models}
        if name in models:
            return
        try:
            own = self.catalogue.public_model(name).name
        except UnknownModelError:
            raise UnknownModel(f"The models file has no model {name!r}.", param="model") from None
        text = f"{name!r} is another name of the model {own!r}: use that one."
        raise InvalidRequest(text, param="model", code="invalid_value")


def refuse_another_tenant(message: str) -> NoReturn:
    """Raises InvalidRequest: two places of one request name two tenants."""
    raise InvalidRequest(message, param="tenant", code="tenant_mismatch")


def page_of(found: Sequence[_T], limit: int) -> tuple[list[_T], _T | None]:
    """The first `limit` of what was found, and the last of these if there are more: where the next page begins.

    Ask the store for one more than `limit`.
    """
    shown = list(found[:limit])
    return shown, shown[-1] if len(found) > len(shown) else None
