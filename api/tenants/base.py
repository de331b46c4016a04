"""Who may call, who pays, and where that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from api.call import Call, Caller
from api.tenants.types import (
    Actor,
    ApiKey,
    AuditEntry,
    IssuedKey,
    Lane,
    Limit,
    PricePeriod,
    Tenant,
    TenantBudget,
)
from serving.catalogue.base import Model, Price
from serving.types import Held, Usage


class Keys(Protocol):
    async def authenticate(self, token: str | None) -> Caller:
        """The caller behind a bearer token (None: none was sent). Raises Unauthenticated."""
        ...


class Prices(Protocol):
    def price_of(self, model: Model, at: datetime) -> Price:
        """What a call of that moment costs: the period that holds then, or what the models file says."""
        ...


class Budgets(Protocol):
    async def reserve(self, call: Call, held: Held) -> None:
        """Set the most that the call may cost aside; what it did cost is settled with `held`.

        Raises BudgetExhausted, and BudgetsAway where nobody can say what is left.
        """
        ...


class BudgetBook(Protocol):
    """For those who settle what others have set aside."""

    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        """What the call of this id did cost takes the place of what was set aside for it; returns at once.

        `month`, such as `2026-11`, is that of the reservation. A call that nothing is set aside for (any more) changes
        nothing, so settling twice counts once.
        """
        ...

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        """Whether that has arrived where budgets are kept, so that it outlives this process."""
        ...


class UsageRow(Struct, frozen=True, kw_only=True):
    """What one admitted call used and cost: a line of the bill, a row of `usage_ledger`."""

    id: str
    """Made by the gateway; writing the same row twice bills it once."""
    occurred_at: datetime
    """When the call arrived."""
    request_id: str
    tenant: str
    key_id: str
    endpoint: str
    model: str
    model_version: str
    upstream: str
    """Empty where no engine had a part in it."""
    streamed: bool
    lane: str
    outcome: str
    """`ok`, `cancelled` by the client, cut off by `shutdown`, `abandoned` before the engine had said anything (by
    either), `killed` with the worker, or the code of the error.
    """
    cache_tier: str
    """A CacheTier."""
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    estimated: bool
    """The engine did not report usage: what it had produced was counted by its chunks and its length."""
    saved_tokens: int
    saved_usd: Decimal
    prefill_price_usd: Decimal
    """For a million tokens, as the two others: the price that was valid."""
    decode_price_usd: Decimal
    cached_price_usd: Decimal
    cost_usd: Decimal
    queue_s: float
    """Waited for a turn."""
    engine_s: float | None
    time_to_first_token_s: float | None
    duration_s: float


class Ledger(Protocol):
    def record(self, row: UsageRow) -> None:
        """Take the row over; returns at once and never raises. It is durable soon after."""
        ...

    async def keep(self, row: UsageRow) -> None:
        """Return when the row outlives this process: in Redis, or on disk while Redis is away. Never raises."""
        ...

    def begin(self, row: UsageRow) -> None:
        """Money is set aside for it, or an engine is asked. Should this worker be killed, others write `row`, with what
        the engine has got to since, and settle it.

        Ends with `record` or `keep` of the row with this id, or with `withdraw`.
        """
        ...

    def progress(self, row_id: str, usage: Usage) -> None:
        """The engine has got so far. Costs about a microsecond."""
        ...

    def withdraw(self, row_id: str) -> None:
        """The engine failed: nothing is owed for what it did."""
        ...


class Directory(Protocol):
    """Tenants, keys, limits, budgets and prices, for those who change them.

    Each change is written together with its line of the audit log, and reaches every worker within a second. Every
    method raises DirectoryAway, and the DirectoryErrors that its arguments can cause.
    """

    async def tenants(self) -> Sequence[Tenant]: ...

    async def create_tenant(self, name: str, *, weight: float, lane: Lane, by: Actor) -> Tenant: ...

    async def change_tenant(
        self, name: str, *, weight: float | None, lane: Lane | None, disabled: bool | None, by: Actor
    ) -> Tenant:
        """None: stays as it is."""
        ...

    async def keys(self, tenant: str | None, *, after: str | None, limit: int) -> Sequence[ApiKey]:
        """In the order of their ids, those after `after`, `limit` at the most."""
        ...

    async def key(self, key_id: str) -> ApiKey: ...

    async def create_key(
        self, tenant: str, *, name: str, lane: Lane | None, expires_at: datetime | None, by: Actor
    ) -> IssuedKey: ...

    async def rotate_key(self, key_id: str, *, grace_s: float, by: Actor) -> IssuedKey:
        """A new key in place of this one, which goes on for `grace_s` seconds."""
        ...

    async def revoke_key(self, key_id: str, *, by: Actor) -> ApiKey: ...

    async def limits(self, tenant: str | None, *, skip: int, most: int) -> Sequence[Limit]:
        """By tenant, key and model, without the first `skip`; `most` of them."""
        ...

    async def limit(self, tenant: str, *, key_id: str | None, model: str | None) -> Limit | None: ...

    async def set_limit(self, limit: Limit, *, by: Actor) -> Limit:
        """In place of the one with the same tenant, key and model; without any number it is removed."""
        ...

    async def budgets(self) -> Sequence[TenantBudget]: ...

    async def set_budget(
        self, tenant: str, *, amount_usd: Decimal | None, soft_share: float, by: Actor
    ) -> TenantBudget | None:
        """None removes it."""
        ...

    async def prices(self, model: str | None) -> Sequence[PricePeriod]: ...

    async def set_price(self, price: PricePeriod, *, by: Actor) -> PricePeriod:
        """A model's period without an end ends where a later one begins. Raises PriceGap and PriceOverlap."""
        ...

    async def remove_price(self, model: str, valid_from: datetime, *, by: Actor) -> None:
        """Of a period that has not begun; the one before it goes on until its end.

        Raises NoSuchPrice and PriceBegun.
        """
        ...

    async def audit(
        self, *, tenant: str | None, since: datetime | None, before_id: int | None, limit: int
    ) -> Sequence[AuditEntry]:
        """The newest first."""
        ...

    def note_refusal(self, *, action: str, subject: str, code: str, by: Actor) -> None:
        """Write soon that somebody wanted what was refused; a flood of them is cut, and its size said."""
        ...
