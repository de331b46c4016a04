"""What each change does to the tables, and its line in the audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from api.tenants.errors import (
    DirectoryAway,
    InvalidValue,
    KeyEnded,
    NoSuchKey,
    NoSuchTenant,
    TenantDisabled,
    TenantExists,
)
from api.tenants.types import Lane, Limit
from tests.integration.api.tenants.directory.registry import BY, DIGESTS, Registry
from tests.integration.api.tenants.directory.usual_changes import FEB, key, lines, price, tenant, version


async def test_tenants(registry: Registry) -> None:
    made = await registry.directory.create_tenant("Zoë & Söhne", weight=2.5, lane=Lane.BATCH, by=BY)
    assert (made.name, made.weight, made.lane, made.disabled_at) == ("Zoë & Söhne", 2.5, Lane.BATCH, None)
    assert made.created_at.utcoffset() == timedelta(0)
    change = registry.directory.change_tenant
    changed = await change(made.name, weight=None, lane=Lane.INTERACTIVE, disabled=True, by=BY)
    assert (changed.weight, changed.lane) == (2.5, Lane.INTERACTIVE)
    assert changed.disabled_at is not None
    again = await change(made.name, weight=None, lane=None, disabled=True, by=BY)
    assert again == changed
    enabled = await change(made.name, weight=1.0, lane=None, disabled=False, by=BY)
    assert enabled.disabled_at is None
    assert await registry.directory.tenants() == [enabled]
    created, disabled, back = await lines(registry)
    assert (created.action, created.subject, created.tenant) == ("tenant.create", made.name, made.name)
    assert (created.actor, created.actor_name, created.request_id) == ("admin", "ada", "req-1")
    assert (created.outcome, created.code, created.before) == ("done", "", None)
    assert created.after is not None
    assert created.after["weight"] == 2.5
    assert disabled.before is not None
    assert disabled.before["disabled_at"] is None
    assert disabled.after is not None
    assert disabled.after["disabled_at"] is not None
    assert back.after is not None
    assert back.after["weight"] == 1.0
    assert await version(registry) == 3, "what changes nothing is no change"


async def test_what_no_tenant_can_be(registry: Registry) -> None:
    await tenant(registry)
    directory = registry.directory
    with pytest.raises(TenantExists):
        await tenant(registry)
    for name in ("", " acme", "a\nb", "x" * 257, "a\0b", "e\u0301", "\udcff"):
        with pytest.raises(InvalidValue) as refused:
            await tenant(registry, name)
        assert refused.value.param == "name"
    for weight in (0.0, 1e-20, -1.0, float("nan"), float("inf"), 1001.0):
        with pytest.raises(InvalidValue):
            await directory.change_tenant("acme", weight=weight, lane=None, disabled=None, by=BY)
    with pytest.raises(NoSuchTenant):
        await directory.change_tenant("other", weight=1.0, lane=None, disabled=None, by=BY)
    with pytest.raises(NoSuchTenant):
        await directory.keys("other", after=None, limit=10)
    assert (await version(registry), len(await lines(registry))) == (1, 1)


async def test_a_key_is_stored_as_a_digest_and_never_shown_again(registry: Registry) -> None:
    await tenant(registry)
    issued = await key(registry, lane=Lane.BATCH, expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert issued.secret.startswith(f"{issued.key.prefix}-")
    assert len(issued.key.prefix) >= len("sk-") + 8
    assert len(issued.secret) - len(issued.key.prefix) > 256 / 6
    assert await registry.directory.keys("acme", after=None, limit=10) == [issued.key]
    assert await registry.directory.keys(None, after=None, limit=10) == [issued.key]
    assert issued.key.lane is Lane.BATCH
    assert await registry.rows("SELECT digest FROM api_keys") == [(DIGESTS.of(issued.secret),)]
    whole = str(await registry.rows("SELECT api_keys::text FROM api_keys UNION ALL SELECT a::text FROM audit_log a"))
    assert issued.key.prefix in whole
    assert issued.secret.removeprefix(issued.key.prefix) not in whole
    (*_, line) = await lines(registry)
    assert DIGESTS.of(issued.secret).hex() not in str(line)


async def test_of_many_keys_a_page_is_read_at_a_time(registry: Registry) -> None:
    for name in ("acme", "other"):
        await tenant(registry, name)
    await registry.rows(
        "INSERT INTO api_keys (id, tenant, prefix, digest, version) SELECT 'key_' || lpad(n::text, 5, '0'), "
        "CASE WHEN n % 3 = 0 THEN 'acme' ELSE 'other' END, 'sk-', sha256(n::text::bytea), 2 "
        "FROM generate_series(1, 3000) AS n"
    )
    directory, seen, after = registry.directory, list[str](), None
    while page := await directory.keys("acme", after=after, limit=400):
        seen += [key.id for key in page]
        after = seen[-1]
    assert seen == [f"key_{number:05}" for number in range(3, 3001, 3)]
    assert len(await directory.keys(None, after="key_02990", limit=400)) == 10
    assert (await directory.key("key_00003")).tenant == "acme"
    with pytest.raises(NoSuchKey):
        await directory.key("key_3")


async def test_no_key_for_a_tenant_that_is_disabled_or_unknown_nor_with_an_end_in_the_past(registry: Registry) -> None:
    await tenant(registry)
    for end in (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1)):  # noqa: DTZ001 - without an offset
        with pytest.raises(InvalidValue) as refused:
            await key(registry, expires_at=end)
        assert refused.value.param == "expires_at"
    with pytest.raises(NoSuchTenant):
        await key(registry, "other")
    await registry.directory.change_tenant("acme", weight=None, lane=None, disabled=True, by=BY)
    with pytest.raises(TenantDisabled):
        await key(registry)
    assert await registry.directory.keys(None, after=None, limit=10) == []


async def test_a_rotated_key_goes_on_until_its_grace_is_over(registry: Registry) -> None:
    await tenant(registry)
    old = await key(registry, lane=Lane.BATCH)
    await registry.directory.set_limit(
        Limit(tenant="acme", key_id=old.key.id, model="m", requests_per_minute=5, tokens_per_minute=None), by=BY
    )
    new = await registry.directory.rotate_key(old.key.id, grace_s=3600, by=BY)
    assert (new.key.name, new.key.lane, new.key.replaces, new.key.expires_at) == (
        "backend",
        Lane.BATCH,
        old.key.id,
        None,
    )
    assert new.secret != old.secret
    found = {known.id: known for known in await registry.directory.keys("acme", after=None, limit=10)}
    end = found[old.key.id].expires_at
    assert end is not None
    assert timedelta(minutes=50) < end - datetime.now(UTC) < timedelta(minutes=70)
    assert [limit.key_id for limit in await registry.directory.limits("acme", skip=0, most=10)] == sorted(
        [old.key.id, new.key.id]
    )
    with pytest.raises(KeyEnded):
        await registry.directory.rotate_key(old.key.id, grace_s=0, by=BY)
    (*_, line) = await lines(registry)
    assert (line.action, line.subject) == ("key.rotate", old.key.id)
    assert line.after is not None
    assert "secret" not in str(line)


async def test_what_cannot_be_rotated(registry: Registry) -> None:
    await tenant(registry)
    directory = registry.directory
    issued = await key(registry)
    for grace_s in (-1.0, float("nan"), float("inf"), 1e12):
        with pytest.raises(InvalidValue):
            await directory.rotate_key(issued.key.id, grace_s=grace_s, by=BY)
    with pytest.raises(NoSuchKey):
        await directory.rotate_key("key_none", grace_s=0, by=BY)
    await directory.change_tenant("acme", weight=None, lane=None, disabled=True, by=BY)
    with pytest.raises(TenantDisabled):
        await directory.rotate_key(issued.key.id, grace_s=0, by=BY)
    await directory.change_tenant("acme", weight=None, lane=None, disabled=False, by=BY)
    revoked = await directory.revoke_key(issued.key.id, by=BY)
    assert revoked.revoked_at is not None
    assert await directory.revoke_key(issued.key.id, by=BY) == revoked
    with pytest.raises(KeyEnded):
        await directory.rotate_key(issued.key.id, grace_s=0, by=BY)
    with pytest.raises(NoSuchKey):
        await directory.revoke_key("key_none", by=BY)
    assert [line.action for line in await lines(registry)].count("key.revoke") == 1


async def test_changes_at_once_come_one_after_the_other(registry: Registry) -> None:
    """From several connections of several gateways: none is lost, and of those that exclude each other one is done."""
    await tenant(registry)
    async with registry.another_directory(timeout_s=30) as second, registry.another_directory(timeout_s=30) as third:
        directories = (second, third)
        calls = [
            directories[number % 2].create_key("acme", name=f"k{number}", lane=None, expires_at=None, by=BY)
            for number in range(8)
        ]
        issued = await asyncio.gather(*calls)
        races = await asyncio.gather(
            *(directory.set_price(price(FEB), by=BY) for directory in directories * 2),
            *(directory.rotate_key(issued[0].key.id, grace_s=5, by=BY) for directory in directories * 2),
            *(directory.create_tenant("twin", weight=1, lane=Lane.BATCH, by=BY) for directory in directories * 2),
            return_exceptions=True,
        )
    kinds = [sorted(type(race).__name__ for race in races[start : start + 4]) for start in (0, 4, 8)]
    assert kinds == [
        ["PriceOverlap"] * 3 + ["PricePeriod"],
        ["IssuedKey"] + ["KeyEnded"] * 3,
        ["Tenant"] + ["TenantExists"] * 3,
    ]
    versions = await registry.rows(
        "SELECT version FROM tenants UNION ALL SELECT version FROM prices "
        "UNION ALL SELECT DISTINCT version FROM api_keys ORDER BY 1"
    )
    assert [number for (number,) in versions] == sorted({number for (number,) in versions})
    assert await version(registry) == 1 + 8 + 3
    assert len(await lines(registry)) == 1 + 8 + 3


async def test_without_postgres_or_its_tables_a_change_is_refused_in_time(registry: Registry) -> None:
    async with registry.another_directory(registry.gated_url, timeout_s=2) as behind:
        assert await behind.tenants() == []
        registry.gate.freeze()
        with pytest.raises(DirectoryAway):
            await behind.create_tenant("late", weight=1, lane=Lane.BATCH, by=BY)
        registry.gate.thaw()
        await registry.gate.shut()
        with pytest.raises(DirectoryAway):
            await behind.tenants()
        await registry.gate.open()
    await registry.rows("DROP TABLE directory_state")
    with pytest.raises(DirectoryAway):
        await tenant(registry)
