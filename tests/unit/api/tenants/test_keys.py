"""Who a key makes its caller, as far as a worker knows."""

from __future__ import annotations

from typing import Any

import pytest

from api.call import Caller
from api.errors import KeysAway, Unauthenticated
from api.tenants.directory.keys import DirectoryKeys, LatestTime
from api.tenants.directory.rows import BudgetRow, DirectoryRow, KeyRow, LimitRow, TenantRow
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.snapshot import Snapshot
from api.tenants.types import Budget, Lane
from resilience.limiter.base import UNLIMITED, Quota, Window, WindowKind
from tests.unit.api.fakes import QUOTA
from tests.unit.api.known_keys import StillDirectory, keys_of

DIGESTS = KeyDigests("a secret of the tests")
SETTINGS = {"key-1": "finsight", "key-2": "other", "key-3": "finsight"}


def key(name: str, tenant: str = "acme", **changes: Any) -> KeyRow:
    values = {"digest": DIGESTS.of(name), "id": f"id-{name}", "tenant": tenant, "lane": None, "expires_s": None}
    return KeyRow(**values | changes)


def limit(*, key_id: str | None = None, model: str | None = None, tenant: str = "acme", **numbers: int) -> LimitRow:
    return LimitRow(tenant, key_id, model, numbers.get("requests"), numbers.get("tokens"))


def tenant(name: str = "acme", *, weight: float = 1.0, lane: str = "interactive", disabled: bool = False) -> TenantRow:
    return TenantRow(name, weight, lane, disabled)


class House:
    """A worker's keys over a directory that tests change."""

    def __init__(self, *rows: DirectoryRow, tenants_by_key: dict[str, str] | None = None) -> None:
        self.directory = StillDirectory()
        self.keys = DirectoryKeys(
            tenants_by_key=tenants_by_key or {}, digests=DIGESTS, directory=self.directory, quota=QUOTA
        )
        self.apply(*rows)

    def apply(self, *rows: DirectoryRow) -> None:
        assert self.directory.snapshot is not None
        self.directory.snapshot.apply(rows)

    async def caller(self, token: str = "k") -> Caller:  # noqa: S107 - a key of the tests
        return await self.keys.authenticate(token)

    async def refuses(self, token: str = "k") -> bool:  # noqa: S107 - idem
        with pytest.raises(Unauthenticated) as refused:
            await self.keys.authenticate(token)
        return (refused.value.status, refused.value.code) == (401, "invalid_api_key")


async def test_a_key_of_the_settings_is_its_tenants() -> None:
    keys = keys_of(SETTINGS, quota=QUOTA)
    callers = [await keys.authenticate(f"key-{number}") for number in (1, 2, 3)]
    assert [caller.tenant for caller in callers] == ["finsight", "other", "finsight"]
    assert len({caller.key_id for caller in callers}) == 3
    assert all(caller.windows == (Window(caller.key_id, QUOTA),) for caller in callers)
    assert all("key-" not in caller.key_id for caller in callers)


@pytest.mark.parametrize("token", [None, "", "key-", "key-11", "KEY-1", " key-1", "kéy", "\udcff"])
async def test_anything_else_is_refused(token: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await keys_of(SETTINGS, quota=QUOTA).authenticate(token)
    assert (refused.value.status, refused.value.code, refused.value.param) == (401, "invalid_api_key", "Authorization")
    assert (b"www-authenticate", b"Bearer") in refused.value.headers
    if token:
        assert token not in refused.value.message


async def test_a_caller_has_what_the_directory_says() -> None:
    house = House(
        tenant(weight=2.5, lane="batch"),
        BudgetRow("acme", 5_000_000_000, 0.5),
        limit(requests=100, tokens=1000),
        limit(model="m:1", tokens=50),
        limit(key_id="id-k", requests=7),
        limit(key_id="id-k", model="m:1", requests=3, tokens=4),
        limit(key_id="id-k", model="n", requests=1),
        limit(key_id="id-other", requests=1),
        key("k"),
        key("plain", lane="interactive"),
    )
    caller = await house.caller()
    assert (caller.tenant, caller.key_id, caller.weight, caller.lane) == ("acme", "id-k", 2.5, Lane.BATCH)
    assert caller.budget == Budget(5_000_000_000, 0.5)
    shared = Window("t:acme", Quota(100, 1000), WindowKind.TENANT)
    of_model = Window("tm:m%3A1:acme", Quota(UNLIMITED, 50), WindowKind.MODEL)
    assert caller.windows == (Window("id-k", Quota(7, UNLIMITED)), shared)
    assert caller.model_windows == {
        "m:1": (Window("m:m%3A1:id-k", Quota(3, 4), WindowKind.MODEL), of_model),
        "n": (Window("m:n:id-k", Quota(1, UNLIMITED), WindowKind.MODEL),),
    }
    plain = await house.caller("plain")
    assert plain.windows == (Window("id-plain", QUOTA), shared)
    assert plain.model_windows == {"m:1": (of_model,)}
    assert plain.lane is Lane.INTERACTIVE


async def test_no_name_can_be_taken_for_another() -> None:
    names = {
        ("m:x", "id-a", None),
        ("m", "x:id-a", None),
        ("m", "id-a", "t:b"),
        ("m:t", "id-a", "b"),
        ("m%3At", "id-a", "b"),
        ("tm:m", "m:x", "m:m"),
    }
    windows = []
    for model, key_id, name in names:
        rows = (
            tenant(name or "acme"),
            limit(tenant=name or "acme", requests=1),
            limit(tenant=name or "acme", model=model, requests=1),
            limit(tenant=name or "acme", key_id=key_id, model=model, requests=1),
            key("k", name or "acme", id=key_id),
        )
        caller = await House(*rows).caller()
        windows += [window.key for window in (*caller.windows[1:], *caller.model_windows[model])]
    tenants = {name or "acme" for _, _, name in names}
    assert len(set(windows)) == len(tenants) + 2 * len(names) - _same_tenant_and_model(names)


def _same_tenant_and_model(names: set[tuple[str, str, str | None]]) -> int:
    return len(names) - len({(model, name) for model, _, name in names})


async def test_a_change_reaches_callers_that_were_made_before() -> None:
    house = House(tenant(), key("k"))
    first = await house.caller()
    assert await house.caller() is first, "it is made once"
    house.apply(limit(requests=5))
    assert len((await house.caller()).windows) == 2
    house.apply(limit())
    assert await house.caller() == first
    house.apply(tenant(weight=9.0))
    assert (await house.caller()).weight == 9.0
    house.apply(BudgetRow("acme", 0, 0.8))
    assert (await house.caller()).budget == Budget(0, 0.8)
    house.apply(BudgetRow("acme", None, 0.8))
    assert (await house.caller()).budget is None


async def test_revoked_expired_and_disabled_all_are_the_same_refusal() -> None:
    house = House(tenant(), key("k"), key("ends", expires_s=100.0), tenant("away"), key("theirs", "away"))
    house.directory.now_s = 99.9
    await house.caller("ends")
    house.directory.now_s = 100.0
    assert await house.refuses("ends")
    house.apply(key("k", revoked=True))
    assert await house.refuses()
    await house.caller("theirs")
    house.apply(tenant("away", disabled=True))
    assert await house.refuses("theirs")
    house.apply(tenant("away"))
    await house.caller("theirs")


async def test_keys_of_the_settings_have_their_tenants_limits_and_end_with_it() -> None:
    house = House(tenants_by_key=SETTINGS)
    assert (await house.caller("key-1")).windows[1:] == ()
    house.apply(tenant("finsight", lane="batch"), limit(tenant="finsight", requests=5))
    caller = await house.caller("key-1")
    assert (caller.lane, [window.key for window in caller.windows[1:]]) == (Lane.BATCH, ["t:finsight"])
    assert (await house.caller("key-2")).windows[1:] == ()
    house.apply(tenant("finsight", disabled=True))
    assert await house.refuses("key-1")
    await house.caller("key-2")


async def test_without_a_directory_the_keys_of_the_settings_work_and_nobody_can_say_of_others() -> None:
    house = House(tenants_by_key=SETTINGS)
    house.directory.snapshot = None
    await house.caller("key-1")
    with pytest.raises(KeysAway) as away:
        await house.caller("k")
    assert away.value.status == 503
    assert (b"retry-after", b"2") in away.value.headers
    assert await house.refuses("") is True, "no key at all is one that nobody has"


async def test_the_directory_may_come_while_a_call_waits_for_it() -> None:
    class Coming(StillDirectory):
        async def wait_for_snapshot(self) -> Snapshot | None:
            self.snapshot = Snapshot()
            self.snapshot.apply([tenant(), key("k")])
            return self.snapshot

    keys = DirectoryKeys(tenants_by_key={}, digests=DIGESTS, directory=Coming(snapshot=None), quota=QUOTA)
    assert (await keys.authenticate("k")).tenant == "acme"


def test_a_clock_that_goes_back_revives_nothing() -> None:
    times = iter([100.0, 50.0, 101.0, 20.0])
    latest = LatestTime(lambda: next(times))
    assert [latest.now_s(), latest.now_s(), latest.now_s()] == [100.0, 100.0, 101.0]
    latest.seen(300.0)
    latest.seen(200.0)
    assert latest.now_s() == 300.0


def test_keys_are_known_by_digests_that_need_the_secret() -> None:
    issued = [DIGESTS.issue() for _ in range(20)]
    assert len({new.secret for new in issued} | {new.id for new in issued}) == 40
    assert all(new.secret.startswith(f"{new.prefix}-") and new.digest == DIGESTS.of(new.secret) for new in issued)
    assert DIGESTS.of("k") != KeyDigests("another secret of tests").of("k")
    assert KeyDigests("").of("k") == KeyDigests("").of("k")
    assert all(new.secret not in repr(new) for new in issued)


def test_a_snapshot_can_be_made_again_from_its_rows() -> None:
    rows: list[DirectoryRow] = [
        tenant(),
        limit(requests=3),
        limit(key_id="id-k", model="m", tokens=1),
        BudgetRow("acme", 7, 0.5),
        key("k"),
    ]
    snapshot = Snapshot()
    snapshot.apply(rows)
    assert list(snapshot.rows(keys=snapshot.keys.values())) == rows
    snapshot.apply(rows)
    assert list(snapshot.rows(keys=snapshot.keys.values())) == rows, "rows may come twice"
    snapshot.apply([limit(tenant="nobody", requests=1), BudgetRow("nobody", 1, 0.5)])
    assert "nobody" not in snapshot.tenants
