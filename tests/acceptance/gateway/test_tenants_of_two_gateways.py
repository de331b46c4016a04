"""Tenants through two gateways with two workers each: turns by weight, one budget, and keys that end everywhere."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from bench.tenants import race
from bench.tenants.admin import Admin
from bench.tenants.clients import Asked, Clients, End, Question, clients
from bench.tenants.ledger import settled_rows
from bench.tenants.stack import ADMIN_KEY, MODEL
from tests.acceptance.gateway.faulty_models import model, write_models
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually

# Two gateways take their time to start: `make test-real STAGE=tenants`.
pytestmark = pytest.mark.real

SEQUENCES = 8
TURNS_OF_A_WORKER = 2
FLOOD = 96


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two gateways on the same stores and engine, each as if on a machine of its own."""

    gateways: Sequence[Gateway]
    database_url: str

    @property
    def ports(self) -> list[int]:
        return [gateway.port for gateway in self.gateways]

    def admin(self, place: int = 0) -> Admin:
        return Admin(self.gateways[place].port)

    def waiting(self) -> float:
        """Requests that wait for their turn at the engine."""
        return sum(gateway.samples().total("gateway_queue_waiting") for gateway in self.gateways)

    def statuses(self, key: str) -> set[int]:
        """Of requests over many connections, which any worker may take."""
        found = set()
        for gateway in self.gateways:
            for _ in range(12):
                with gateway.client(key) as client:
                    found.add(client.get("/v1/models").status_code)
        return found


@pytest.fixture(scope="module")
def pair(gateways: GatewayFactory, tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    engine = Engine(folder, time_scale=20, sequences=SEQUENCES)
    engine.process.start_ready()
    upstream = {"name": "small-engine", "base_url": engine.base_url, "model": "finsight-fast"}
    price = {"prefill": race.PRICE.prefill, "decode": race.PRICE.decode, "cached": race.PRICE.cached}
    models_file = write_models(folder / "models.yaml", [model(MODEL, upstream, price=price)])
    started = [gateways.start(**settings(folder / str(number), models_file)) for number in range(2)]
    yield Pair(gateways=started, database_url=database_url)
    for gateway in started:
        assert "Traceback" not in gateway.log()
        gateways.stop(gateway)
    engine.process.stop()


def settings(folder: Path, models_file: Path) -> dict[str, str | float]:
    return {
        "WORKERS": 2,
        "GATEWAY_REPLICAS": 2,
        "DATA_DIR": str(folder),
        "MODELS_FILE": str(models_file),
        "ADMIN_API_KEY": ADMIN_KEY,
        "RAG_ENABLED": "false",
        # As much as the engine works on at once: what it gets beyond that waits inside it, in the order of arrival.
        "FAIR_QUEUE_MAX_CONCURRENCY": TURNS_OF_A_WORKER,
        # A loaded machine must not look like a store that is away.
        "BUDGET_TIMEOUT_S": 5,
        "LEDGER_TIMEOUT_S": 5,
    }


async def new_key(pair: Pair, *, weight: float = 1.0) -> str:
    """Of a new tenant, known to every worker."""
    tenant = f"tenant-{secrets.token_hex(6)}"
    await pair.admin().create_tenant(tenant, weight=weight)
    _, key = await pair.admin(1).create_key(tenant)
    await asyncio.to_thread(eventually, lambda: pair.statuses(key), until=lambda found: found == {200})
    return key


async def test_a_small_tenant_goes_before_what_a_flood_has_waiting(pair: Pair) -> None:
    noisy, quiet = await new_key(pair), await new_key(pair)
    async with clients(pair.ports, prefix=f"flood-{secrets.token_hex(4)}") as asking:
        flood = [asyncio.create_task(asking.ask(Question(key=noisy, tokens=64))) for _ in range(FLOOD)]
        await asyncio.to_thread(eventually, pair.waiting, until=lambda count: count > FLOOD * 0.7)
        before = sum(task.done() for task in flood)
        answers = await asyncio.gather(*(asking.ask(Question(key=quiet, tokens=8)) for _ in range(4)))
        overtaken = FLOOD - sum(task.done() for task in flood)
        flooded = await asyncio.gather(*flood)
    assert {one.end for one in [*answers, *flooded]} == {End.WHOLE}
    # First in, first out, the four would be answered behind all that waited when they came.
    assert overtaken > (FLOOD - before) / 2


async def test_backlogged_tenants_get_tokens_by_their_weights(pair: Pair) -> None:
    light, heavy = await new_key(pair, weight=1), await new_key(pair, weight=3)
    prefix = f"weights-{secrets.token_hex(4)}"
    async with clients(pair.ports, prefix=prefix) as asking:
        # The heavy one's answers are long: by requests it would get much less than by tokens.
        asked = await asyncio.gather(
            backlog(asking, Question(key=light, tokens=16), until=120),
            backlog(asking, Question(key=heavy, tokens=48), until=120),
        )
    first_s = min(max(one.due_s for one in many) for many in asked)
    tokens = [sum(one.completion_tokens for one in many if one.ended_s < first_s) for many in asked]
    assert 2 < tokens[1] / tokens[0] < 4.5
    rows = await settled_rows(pair.database_url, prefix, enough=lambda rows: len(rows) >= 240, quiet_s=0.2)
    assert sum(row.completion_tokens for row in rows) == 120 * (16 + 48)


async def backlog(asking: Clients, question: Question, *, until: int) -> list[Asked]:
    """So many answers, for users of whom all that are left always wait."""
    left = iter(range(until))
    asked: list[Asked] = []

    async def user() -> None:
        for _ in left:
            answer = await asking.ask(question)
            asked.append(answer)

    await asyncio.gather(*(user() for _ in range(32)))
    assert {one.end for one in asked} == {End.WHOLE}
    return asked


async def test_nobody_spends_the_last_cent_twice(pair: Pair) -> None:
    found = await race.race(
        pair.ports, pair.database_url, through=pair.ports[1], budget_usd=Decimal("0.20"), at_once=24
    )
    assert found.spent_usd <= found.budget_usd
    assert found.left_in_requests <= 1.1
    assert (found.other, found.exhausted) == (0, found.retry_forbidden)
    assert found.exhausted >= 24


async def test_a_revoked_key_is_refused_by_every_worker(pair: Pair) -> None:
    tenant = f"tenant-{secrets.token_hex(6)}"
    await pair.admin().create_tenant(tenant)
    key_id, key = await pair.admin().create_key(tenant)
    await asyncio.to_thread(eventually, lambda: pair.statuses(key), until=lambda found: found == {200})
    await pair.admin(1).revoke_key(key_id)
    await asyncio.to_thread(eventually, lambda: pair.statuses(key), until=lambda found: found == {401})
    async with pair.gateways[0].async_client(key) as client:
        refused = await client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hello?"}]})
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
