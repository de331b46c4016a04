"""A gateway and a database that has no schema yet, or one that the gateway does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api.database.revisions import HEAD
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.schema import database_copy, lay_schema


@pytest.fixture
def empty_database_url(database_url: str) -> Iterator[str]:
    with database_copy(database_url) as url:
        yield url


def postgres_of(gateway: Gateway) -> str:
    state: str = gateway.readiness().json()["dependencies"]["postgres"]
    return state


def answers(gateway: Gateway, request_id: str) -> None:
    with gateway.client() as client:
        assert client.post(CHAT, json=QUESTION, headers={"X-Request-Id": request_id}).status_code == 200


def test_with_migrations_off_a_gateway_waits_for_who_does_them_and_tells_what_is_missing(
    gateways: GatewayFactory, empty_database_url: str, redis_url: str, tmp_path: Path, request_id: str
) -> None:
    # Nobody else is to bring its rows into a database of theirs.
    own = {"REDIS_URL": redis_url.removesuffix("/0") + "/7", "DATA_DIR": str(tmp_path)}
    gateway = gateways.start(DATABASE_URL=empty_database_url, DATABASE_MIGRATE="false", WORKERS=1, **own)
    assert gateway.readiness().status_code == 200
    assert postgres_of(gateway) == f"the database has no schema yet, {HEAD} is needed"
    answers(gateway, request_id)
    lay_schema(empty_database_url)
    eventually(lambda: postgres_of(gateway), until=lambda state: state == "ok")
    assert LedgerRows(empty_database_url).one(request_id)["outcome"] == "ok"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    unknown = f"the database has schema 9999, which this version does not know (it knows up to {HEAD})"
    eventually(lambda: postgres_of(gateway), until=lambda state: state == unknown)
    gateways.stop(gateway)
    assert "Traceback" not in gateway.log()
