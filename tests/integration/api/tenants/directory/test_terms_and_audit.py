"""Limits, budgets and prices, and the audit log of all that was changed or refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from api.tenants.errors import (
    InvalidValue,
    NoSuchKey,
    NoSuchPrice,
    PriceBegun,
    PriceGap,
    PriceOverlap,
)
from api.tenants.types import Actor, AuditEntry, Limit
from tests.integration.api.tenants.directory.registry import BY, Registry
from tests.integration.api.tenants.directory.usual_changes import (
    FEB,
    JAN,
    MAR,
    at_the_latest,
    key,
    lines,
    price,
    tenant,
    version,
)


async def test_limits(registry: Registry) -> None:
    await tenant(registry)
    await tenant(registry, "other")
    issued = await key(registry)
    directory = registry.directory
    limit = Limit(tenant="acme", requests_per_minute=10, tokens_per_minute=None)
    assert await directory.set_limit(limit, by=BY) == limit
    await directory.set_limit(limit, by=BY)  # nothing changes
    higher = Limit(tenant="acme", requests_per_minute=None, tokens_per_minute=2**53)
    await directory.set_limit(higher, by=BY)
    of_key = Limit(tenant="acme", key_id=issued.key.id, model="m:1", requests_per_minute=1, tokens_per_minute=2)
    await directory.set_limit(of_key, by=BY)
    assert await directory.limits("acme", skip=0, most=10) == [higher, of_key]
    assert await directory.limits("other", skip=0, most=10) == []
    assert await directory.limits(None, skip=0, most=1) == [higher]
    assert await directory.limits(None, skip=1, most=5) == [of_key]
    assert await directory.limit("acme", key_id=issued.key.id, model="m:1") == of_key
    assert await directory.limit("acme", key_id=None, model="m:1") is None
    none = Limit(tenant="acme", requests_per_minute=None, tokens_per_minute=None)
    await directory.set_limit(none, by=BY)
    await directory.set_limit(none, by=BY)
    assert await directory.limits(None, skip=0, most=10) == [of_key]
    assert [line.action for line in await lines(registry)][3:] == [
        "limit.set",
        "limit.set",
        "limit.set",
        "limit.remove",
    ]
    with pytest.raises(NoSuchKey):
        await directory.set_limit(
            Limit(tenant="other", key_id=issued.key.id, requests_per_minute=1, tokens_per_minute=None), by=BY
        )
    for number in (0, -5, 2**53 + 1):
        with pytest.raises(InvalidValue) as refused:
            await directory.set_limit(Limit(tenant="acme", requests_per_minute=1, tokens_per_minute=number), by=BY)
        assert refused.value.param == "tokens_per_minute"


async def test_budgets(registry: Registry) -> None:
    await tenant(registry)
    directory = registry.directory
    assert await directory.set_budget("acme", amount_usd=None, soft_share=0.8, by=BY) is None
    amount = Decimal("1234.567890123")
    budget = await directory.set_budget("acme", amount_usd=amount, soft_share=0.75, by=BY)
    assert budget is not None
    assert (budget.amount_usd, budget.soft_share) == (amount, 0.75)
    assert await directory.budgets() == [budget]
    assert await directory.set_budget("acme", amount_usd=None, soft_share=0.8, by=BY) is None
    assert await directory.budgets() == []
    _, put, removed = await lines(registry)
    assert (put.action, removed.action, put.after) == (
        "budget.set",
        "budget.remove",
        {"tenant": "acme", "amount_usd": "1234.567890123", "soft_share": 0.75},
    )
    for wrong in (Decimal(-1), Decimal("0.0000000001"), Decimal("NaN"), Decimal("1e10")):
        with pytest.raises(InvalidValue):
            await directory.set_budget("acme", amount_usd=wrong, soft_share=0.8, by=BY)
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(InvalidValue):
            await directory.set_budget("acme", amount_usd=amount, soft_share=share, by=BY)


async def test_prices_follow_one_another(registry: Registry) -> None:
    directory = registry.directory
    await directory.set_price(price(JAN), by=BY)
    with pytest.raises(PriceOverlap):
        await directory.set_price(price(JAN), by=BY)
    stored = await directory.set_price(price(FEB, MAR, decode_usd=Decimal(1)), by=BY)
    assert stored == price(FEB, MAR, decode_usd=Decimal(1))
    assert await directory.prices("m") == [price(JAN, FEB), stored]
    with pytest.raises(PriceGap):
        await directory.set_price(price(MAR + timedelta(days=1)), by=BY)
    await directory.set_price(price(MAR), by=BY)
    assert [period.valid_until for period in await directory.prices(None)] == [FEB, MAR, None]
    for wrong in (
        price(datetime(2026, 5, 1)),  # noqa: DTZ001 - without an offset
        price(MAR + timedelta(days=2), MAR + timedelta(days=1)),
        price(MAR + timedelta(days=2), cached_usd=Decimal(-1)),
        price(MAR + timedelta(days=2), decode_usd=Decimal("0.0000001")),
        price(MAR + timedelta(days=2), model=""),
    ):
        with pytest.raises(InvalidValue):
            await directory.set_price(wrong, by=BY)
    assert [line.action for line in await lines(registry)] == ["price.set"] * 3


async def test_a_price_that_has_not_begun_can_be_removed_everywhere(registry: Registry) -> None:
    directory = registry.directory
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    later = soon + timedelta(days=1)
    async with registry.listener() as listener:
        for period in (price(JAN), price(soon, decode_usd=Decimal(9)), price(later), price(soon, model="other")):
            await directory.set_price(period, by=BY)
        await at_the_latest(registry, listener)
        await directory.remove_price("m", soon, by=BY)
        await directory.remove_price("other", soon, by=BY)
        await at_the_latest(registry, listener)
        assert await directory.prices(None) == [price(JAN, later), price(later)]
        table = listener.snapshot.prices
        mistaken = soon + timedelta(hours=1)
        assert (table.price("other", mistaken), len(table.rows())) == (None, 2)
        held = table.price("m", mistaken)
        assert held is not None
        assert held.decode == 0.600001
    (line, _) = (await lines(registry))[-2:]
    assert (line.action, line.subject, line.outcome) == ("price.remove", "m", "done")
    assert line.before is not None
    assert "9.000000" in str(line.before)
    with pytest.raises(PriceBegun):
        await directory.remove_price("m", JAN, by=BY)
    with pytest.raises(NoSuchPrice):
        await directory.remove_price("m", soon, by=BY)


async def test_refusals_are_written_soon_and_a_flood_of_them_is_cut(registry: Registry) -> None:
    stranger = Actor(id="unknown", name="x" * 1000)
    for number in range(500):
        registry.directory.note_refusal(
            action="key.create", subject=f"tenant \0 \udcff {number}", code="invalid_value", by=stranger
        )
    registry.directory.note_refusal(action="key.revoke", subject="key_1", code="not_found", by=BY)
    found: list[AuditEntry] = []
    async with asyncio.timeout(30):
        while not any(line.action == "audit.cut" for line in found):
            found = await lines(registry)
    *noted, of_the_admin, cut = found
    assert (of_the_admin.action, of_the_admin.actor) == ("key.revoke", BY.id), "the flood hides nobody else's"
    assert cut.subject == "unknown"
    assert 1 <= len(noted) <= 100
    assert cut.after == {"count": 500 - len(noted)}
    assert {(line.outcome, line.code, len(line.actor_name)) for line in noted} == {("refused", "invalid_value", 256)}
    assert await version(registry) == 0, "nothing has changed"


async def test_what_waits_is_written_at_the_end(registry: Registry) -> None:
    async with registry.another_directory() as ending:
        ending.note_refusal(action="key.revoke", subject="key_1", code="not_found", by=BY)
    assert [line.subject for line in await lines(registry)] == ["key_1"]


async def test_the_audit_log_is_read_from_the_newest_on(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        await tenant(registry, name)
    directory = registry.directory
    newest = await directory.audit(tenant=None, since=None, before_id=None, limit=2)
    assert [line.subject for line in newest] == ["c", "b"]
    older = await directory.audit(tenant=None, since=None, before_id=newest[-1].id, limit=2)
    assert [line.subject for line in older] == ["a"]
    assert [line.subject for line in await directory.audit(tenant="b", since=None, before_id=None, limit=9)] == ["b"]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await directory.audit(tenant=None, since=later, before_id=None, limit=9) == []


async def test_of_many_who_are_refused_at_once_the_last_ones_share_what_is_written(registry: Registry) -> None:
    async with registry.another_directory() as ending:
        for number in range(1000):
            ending.note_refusal(action="api.call", subject="x", code="tenant_mismatch", by=Actor(id=f"key_{number}"))
    found = await registry.rows("SELECT action, subject, after FROM audit_log ORDER BY id")
    assert len(found) < 100
    assert found[-1][:2] == ("audit.cut", "others")
    assert found[-1][2]["count"] + len(found) - 1 == 1000
