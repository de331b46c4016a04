"""Keys of the directory through running gateways: made, limited, rotated and revoked while these serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.types import IssuedKey, Lane, Limit
from tests.acceptance.gateway.directory_changes import BY, GatedDatabase, changed, gated
from tests.acceptance.gateway.processes import KEY, Gateway, GatewayFactory, eventually

# Each on a connection of its own: with two workers all of them come to the same one once in 30,000 times.
_ASKED = 16


@dataclass
class Office:
    """Changes the directory that the gateways follow."""

    database_url: str
    tenant: str

    def issue(self) -> IssuedKey:
        return changed(self.database_url, self._issue)

    def rotate(self, key: IssuedKey, *, grace_s: float) -> IssuedKey:
        return changed(self.database_url, lambda directory: directory.rotate_key(key.key.id, grace_s=grace_s, by=BY))

    def revoke(self, key: IssuedKey) -> None:
        changed(self.database_url, lambda directory: directory.revoke_key(key.key.id, by=BY))

    def limit(self, requests_per_minute: int) -> None:
        limit = Limit(tenant=self.tenant, requests_per_minute=requests_per_minute, tokens_per_minute=None)
        changed(self.database_url, lambda directory: directory.set_limit(limit, by=BY))

    def disable(self, *, disabled: bool) -> None:
        changed(
            self.database_url,
            lambda directory: directory.change_tenant(self.tenant, weight=None, lane=None, disabled=disabled, by=BY),
        )

    async def _issue(self, directory: PostgresDirectory) -> IssuedKey:
        if self.tenant not in {tenant.name for tenant in await directory.tenants()}:
            await directory.create_tenant(self.tenant, weight=1.0, lane=Lane.INTERACTIVE, by=BY)
        return await directory.create_key(self.tenant, name="", lane=None, expires_at=None, by=BY)


@pytest.fixture
def office(database_url: str) -> Office:
    """With a tenant of its own."""
    return Office(database_url, f"tenant {uuid4().hex[:8]}")


def answers(gateway: Gateway, key: IssuedKey | str) -> set[int]:
    """The statuses that its workers answer with."""
    statuses = set()
    for _ in range(_ASKED):
        with gateway.client(key if isinstance(key, str) else key.secret) as client:
            statuses.add(client.get("/v1/models").status_code)
    return statuses


def soon(gateway: Gateway, key: IssuedKey | str, status: int) -> None:
    """Every worker answers with it before long."""
    eventually(lambda: answers(gateway, key), until=lambda found: found == {status}, within_s=20)


def test_a_key_works_everywhere_once_it_is_made_and_nowhere_once_it_is_revoked(
    gateway: Gateway, office: Office
) -> None:
    key, other = office.issue(), office.issue()
    soon(gateway, key, 200)
    office.revoke(key)
    soon(gateway, key, 401)
    assert answers(gateway, other) == {200}


def test_a_rotated_key_goes_on_beside_its_heir_until_its_grace_is_over(gateway: Gateway, office: Office) -> None:
    old = office.issue()
    soon(gateway, old, 200)
    heir = office.rotate(old, grace_s=3600)
    soon(gateway, heir, 200)
    assert answers(gateway, old) == {200}
    last = office.rotate(heir, grace_s=0.5)
    soon(gateway, heir, 401)
    soon(gateway, last, 200)


def test_a_disabled_tenants_keys_are_refused_until_it_is_enabled(gateway: Gateway, office: Office) -> None:
    key = office.issue()
    soon(gateway, key, 200)
    office.disable(disabled=True)
    soon(gateway, key, 401)
    office.disable(disabled=False)
    soon(gateway, key, 200)


@pytest.fixture
def gated_database(database_url: str) -> Iterator[GatedDatabase]:
    with gated(database_url) as database:
        yield database


def test_a_gateway_that_starts_without_postgres_serves_the_keys_that_it_knew(
    gateways: GatewayFactory, gated_database: GatedDatabase, office: Office, tmp_path: Path
) -> None:
    settings: dict[str, str | float] = {
        "WORKERS": 1,
        "RAG_ENABLED": "false",
        "DATABASE_URL": gated_database.url,
        "DATA_DIR": str(tmp_path),
    }
    key = office.issue()
    before = gateways.start(**settings)
    soon(before, key, 200)
    eventually(lambda: list(tmp_path.glob("directory/*.snapshot")), until=bool)
    gated_database.shut()
    eventually(_directory_state(before), until=lambda state: state != "ok")
    assert answers(before, key) == answers(before, KEY) == {200}
    gateways.stop(before)
    after = gateways.start(**settings)
    soon(after, key, 200)
    assert answers(after, KEY) == {200}
    assert answers(after, "sk-nobodys") == {401}
    assert after.samples().total("gateway_directory_version") > 0
    office.revoke(key)
    gated_database.open()
    soon(after, key, 401)
    eventually(_directory_state(after), until=lambda state: state == "ok")
    assert "Traceback" not in after.log()
    gateways.stop(after)


def _directory_state(gateway: Gateway) -> Callable[[], str]:
    return lambda: str(gateway.readiness().json()["dependencies"]["directory"])
