"""How changes reach those who follow, and what they do while Postgres is away."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from api.errors import KeysAway, Unauthenticated
from api.readiness import NotReady
from api.tenants.directory.settings_tenants import SettingsTenants
from api.tenants.directory.snapshot import Snapshot
from api.tenants.types import Limit
from tests.integration.api.tenants.directory.registry import BY, Registry, until
from tests.integration.api.tenants.directory.usual_changes import (
    JAN,
    at_the_latest,
    key,
    lines,
    price,
    refused,
    tenant,
)


async def test_changes_reach_everybody(registry: Registry) -> None:
    async with registry.listener() as first, registry.listener() as second:
        await tenant(registry)
        issued = await key(registry)
        await at_the_latest(registry, first, second)
        for listener in (first, second):
            assert (await listener.keys.authenticate(issued.secret)).windows[0].quota.requests_per_min == 600
        await registry.directory.set_limit(
            Limit(tenant="acme", key_id=issued.key.id, requests_per_minute=3, tokens_per_minute=None), by=BY
        )
        await registry.directory.set_price(price(JAN), by=BY)
        await at_the_latest(registry, first, second)
        for listener in (first, second):
            assert (await listener.keys.authenticate(issued.secret)).windows[0].quota.requests_per_min == 3
            assert listener.snapshot.prices.rows()
        await registry.directory.revoke_key(issued.key.id, by=BY)
        await asyncio.gather(refused(first, issued.secret), refused(second, issued.secret))
        await first.follower.check()


async def test_a_rotated_key_and_its_heir_work_until_the_grace_is_over(registry: Registry) -> None:
    async with registry.listener() as listener:
        await tenant(registry)
        old = await key(registry)
        new = await registry.directory.rotate_key(old.key.id, grace_s=1.0, by=BY)
        await at_the_latest(registry, listener)
        await listener.keys.authenticate(new.secret)
        await refused(listener, old.secret)
        await listener.keys.authenticate(new.secret)


async def test_a_listener_hears_even_where_no_word_comes_through(registry: Registry) -> None:
    """As behind a pooler that hands each statement to another connection: what is left is to ask."""
    async with registry.listener() as listener:
        await until(lambda: listener.version == 0)
        await registry.rows(
            "WITH new AS (INSERT INTO tenants (name, version) VALUES ('quiet', 1)) "
            "UPDATE directory_state SET version = 1"
        )
        await until(lambda: "quiet" in listener.snapshot.tenants)


async def test_postgres_goes_and_comes_back(registry: Registry) -> None:
    await tenant(registry)
    issued, doomed = await key(registry), await key(registry)
    async with registry.listener(tenants_by_key={"own": "acme"}) as listener:
        await listener.keys.authenticate(issued.secret)
        await registry.gate.shut()
        await until(lambda: listener.ages_s[-1] > 0)
        with pytest.raises(NotReady):
            await listener.follower.check()
        await listener.keys.authenticate(issued.secret)
        await listener.keys.authenticate("own")
        with pytest.raises(Unauthenticated):
            await listener.keys.authenticate("sk-unknown")
        await registry.directory.revoke_key(doomed.key.id, by=BY)
        await listener.keys.authenticate(doomed.secret)
        await registry.gate.open()
        await refused(listener, doomed.secret)
        await listener.keys.authenticate(issued.secret)
        await until(lambda: listener.ages_s[-1] == 0)


async def test_a_frozen_postgres_is_left_and_found_again(registry: Registry) -> None:
    await tenant(registry)
    issued = await key(registry)
    async with registry.listener(timeout_s=0.5) as listener:
        await listener.keys.authenticate(issued.secret)
        registry.gate.freeze()
        await until(lambda: listener.ages_s[-1] > 0)
        await listener.keys.authenticate(issued.secret)
        await registry.directory.revoke_key(issued.key.id, by=BY)
        registry.gate.thaw()
        await refused(listener, issued.secret)


async def test_a_restored_database_is_read_again(registry: Registry) -> None:
    await tenant(registry)
    old = await key(registry)
    async with registry.listener() as listener:
        await at_the_latest(registry, listener)
        later = await key(registry)
        await at_the_latest(registry, listener)
        await listener.keys.authenticate(later.secret)
        # A backup from before the second key.
        await registry.rows(f"DELETE FROM api_keys WHERE id = '{later.key.id}'")  # noqa: S608 - made here
        await registry.rows("UPDATE directory_state SET version = 2")
        await refused(listener, later.secret)
        await listener.keys.authenticate(old.secret)
        assert listener.version == 2


async def test_a_database_without_tables_is_tried_until_it_has_them(registry: Registry) -> None:
    await registry.rows("ALTER TABLE directory_state RENAME TO hidden")
    async with registry.listener(tenants_by_key={"own": "acme"}) as listener:
        await listener.keys.authenticate("own")
        with pytest.raises(KeysAway):
            await listener.keys.authenticate("sk-unknown")
        await registry.rows("ALTER TABLE hidden RENAME TO directory_state")
        await until(lambda: listener.version == 0)
        with pytest.raises(Unauthenticated):
            await listener.keys.authenticate("sk-unknown")


async def test_nobody_waits_long_for_a_postgres_that_does_not_answer(registry: Registry) -> None:
    registry.gate.freeze()
    async with registry.listener(tenants_by_key={"own": "acme"}) as listener:
        await listener.keys.authenticate("own")
        async with asyncio.timeout(20):
            with pytest.raises(KeysAway):
                await listener.keys.authenticate("sk-unknown")
        registry.gate.thaw()
        await until(lambda: listener.version == 0)


async def test_tenants_of_the_settings_are_made_once(registry: Registry) -> None:
    await tenant(registry, "old")
    made = SettingsTenants(["old", "new", "new", "\nno"], directory=registry.directory)
    again = SettingsTenants(["new"], directory=registry.directory)

    def look(snapshot: Snapshot) -> None:
        made.look(snapshot)
        again.look(snapshot)

    async with registry.listener(on_current=look, tenants_by_key={"own": "new"}) as listener:
        await until(lambda: "new" in listener.snapshot.tenants if listener.follower.snapshot else False)
        await registry.directory.set_limit(Limit(tenant="new", requests_per_minute=4, tokens_per_minute=None), by=BY)
        await at_the_latest(registry, listener)
        caller = await listener.keys.authenticate("own")
        assert [window.quota.requests_per_min for window in caller.windows] == [600, 4]
    await made.aclose()
    await again.aclose()
    assert [found.name for found in await registry.directory.tenants()] == ["new", "old"]
    of_settings = [line for line in await lines(registry) if line.actor == "settings"]
    assert [(line.action, line.subject, line.after) for line in of_settings] == [
        ("tenant.create", "new", {"names": ["new"]})
    ]


async def test_many_keys_come_at_the_start_and_in_one_change(registry: Registry) -> None:
    await tenant(registry)
    many = (
        "INSERT INTO api_keys (id, tenant, prefix, digest, version, expires_at, revoked_at) "
        "SELECT 'key_' || n, 'acme', 'sk-', sha256(n::text::bytea), {version}, "
        "CASE WHEN n % 10 = 0 THEN now() - interval '2 days' END, CASE WHEN n % 10 = 1 THEN now() END "
        "FROM generate_series({first}, {last}) AS n"
    )
    await registry.rows(many.format(version=2, first=1, last=20_000))
    await registry.rows("UPDATE directory_state SET version = 2")
    async with registry.listener() as listener:
        issued = await key(registry)
        await at_the_latest(registry, listener)
        await listener.keys.authenticate(issued.secret)
        assert len(listener.snapshot.keys) == 16_001, "without those that ended long ago"
        names = {known.tenant for known in listener.snapshot.keys.values()}
        assert {id(known.tenant) for known in listener.snapshot.keys.values()} == {id(name) for name in names}
        await registry.rows(many.format(version=4, first=20_001, last=30_000))
        await registry.rows("UPDATE api_keys SET version = 4, revoked_at = now() WHERE version = 2")
        await registry.rows("UPDATE directory_state SET version = 4")
        await at_the_latest(registry, listener)
        assert hashlib.sha256(b"20002").digest() in listener.snapshot.keys
        assert hashlib.sha256(b"2").digest() not in listener.snapshot.keys
        await listener.keys.authenticate(issued.secret)
