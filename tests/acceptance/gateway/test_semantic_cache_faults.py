"""Parts that die, freeze, lie or are late: every request is answered, by the engine if need be, and never wrongly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import redis

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.cached_answers import (
    BACKLOG,
    NEAR_BACKLOG,
    Q3,
    SAME_AS_Q3,
    CachedAnswer,
    ask,
    asked,
    echoes,
    store,
)
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT

if TYPE_CHECKING:
    from tests.conftest import RedisServer

NO_STORE = {"Cache-Control": "no-store"}


class Asking:
    """Asks a gateway of this module's; each answer must be right, wherever it comes from."""

    def __init__(self, gateway: Gateway, client: httpx.Client) -> None:
        self.gateway = gateway
        self._client = client

    def status(self, question: str = Q3, headers: dict[str, str] | None = None, **fields: Any) -> str | None:
        answer = CachedAnswer.of(self._client.post(CHAT, json=asked(question, **fields), headers=headers))
        assert echoes(answer, question) or answer.status in ("canonical", "semantic"), answer
        return answer.status

    def until(self, status: str, question: str = Q3) -> None:
        eventually(lambda: self.status(question), until=lambda found: found == status, within_s=20)


def asking(gateways: GatewayFactory, tenant: str, **settings: Any) -> Iterator[Asking]:
    gateway = gateways.start(SEMANTIC_CACHE_ENABLED="true", API_KEYS=f"{KEY}:{tenant}", **settings)
    with gateway.client(timeout_s=30) as client:
        yield Asking(gateway, client)
    log = gateway.log()
    gateways.stop(gateway)
    assert "Traceback" not in log


@pytest.fixture(scope="module")
def hasty(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Asking]:
    """It waits for its store as long as users' gateways do, and not at all for a vector."""
    yield from asking(
        gateways,
        "hasty",
        RATE_LIMIT_TIMEOUT_S=0.08,
        EMBEDDER_TIMEOUT_S=0.000001,
        EMBEDDER_MODEL_DIR=minilm_dir,
    )


@pytest.fixture
def whole_redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """Running before and after."""
    redis_server.thaw()
    redis_server.start()
    yield redis_server
    redis_server.thaw()
    redis_server.start()


@contextmanager
def missed(client: httpx.Client, question: str) -> Iterator[httpx.Response]:
    """A stream that the cache was asked for: a look-up that was late, as on a busy machine, is made again."""
    for _ in range(20):
        with client.stream("POST", CHAT, json=asked(question, stream=True)) as answer:
            if answer.headers["x-cache"] != "bypass":
                assert answer.headers["x-cache"] == "miss"
                yield answer
                return
    raise AssertionError("the cache was never asked")


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_redis_goes_while_the_engine_works(hasty: Asking, engine: Engine, whole_redis: RedisServer, how: str) -> None:
    question = f"What was Apple's revenue in {'Q1' if how == 'killed' else 'Q2'} 2024?"
    engine.put_faults(slow={"factor": 1000})
    with hasty.gateway.client(timeout_s=30) as client, missed(client, question) as answer:
        if how == "killed":
            whole_redis.kill()
        else:
            whole_redis.freeze()
        engine.put_faults()
        rest = answer.read().decode()
    assert rest.endswith("data: [DONE]\n\n")
    for _ in range(5):
        assert hasty.status(question) == "bypass"
    whole_redis.thaw()
    whole_redis.start()
    hasty.until("exact", question)


def test_a_vector_that_is_late_is_not_waited_for(hasty: Asking, whole_redis: RedisServer) -> None:
    assert whole_redis.pid
    hasty.until("exact", BACKLOG)
    for _ in range(3):
        assert hasty.status(NEAR_BACKLOG, NO_STORE) == "miss"
    assert hasty.gateway.samples().total("gateway_cache_errors_total", part="embedder") >= 3


def test_redis_that_comes_back_empty_is_filled_again(tenant: Tenant, whole_redis: RedisServer) -> None:
    store(tenant, asked())
    with redis.Redis.from_url(whole_redis.url) as client:
        client.flushall()
    store(tenant, asked())
    assert ask(tenant, asked(SAME_AS_Q3)).status == "canonical"


def test_a_lost_index_costs_nearness_until_answers_are_stored_again(
    tenant: Tenant, whole_redis: RedisServer, database_url: str
) -> None:
    store(tenant, asked(BACKLOG))
    _until_near(tenant)
    _lose_the_index(whole_redis.url, database_url)
    assert ask(tenant, asked(NEAR_BACKLOG), cache_control="no-store").status == "miss"
    assert ask(tenant, asked(BACKLOG)).status == "exact"
    dependencies = eventually(
        lambda: tenant.gateway.readiness().json()["dependencies"], until=lambda found: found["cache-index"] == "ok"
    )
    assert dependencies["embedder"] == "ok"
    tenant.purge()
    store(tenant, asked(BACKLOG))
    _until_near(tenant)


def _until_near(tenant: Tenant) -> None:
    eventually(
        lambda: ask(tenant, asked(NEAR_BACKLOG), cache_control="no-store").status,
        until=lambda status: status == "semantic",
        within_s=20,
    )


def _lose_the_index(redis_url: str, database_url: str) -> None:
    """Whichever serves here, all of it."""
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter("*", _type="vectorset"):
            client.delete(key)
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'semantic_cache_vectors%'")
        for (table,) in tables.fetchall():
            connection.execute(f'DROP TABLE "{table}"')


@pytest.mark.parametrize(
    "damage", [b"", b"\x00", b"not an entry", b"\xff" * 1000, None], ids=["empty", "nul", "text", "noise", "type"]
)
def test_an_entry_that_was_damaged_is_none(tenant: Tenant, whole_redis: RedisServer, damage: bytes | None) -> None:
    store(tenant, asked())
    with redis.Redis.from_url(whole_redis.url) as client:
        # Of every tenant, for names are digests there; no test needs another's.
        answers = list(client.scan_iter("cache:*:e:*"))
        assert answers
        for key in answers:
            if damage is None:
                client.delete(key)
                client.rpush(key, "a list")
            else:
                client.set(key, damage, keepttl=True)
    again = ask(tenant, asked())
    assert (again.status, echoes(again)) == ("miss", True)
    eventually(lambda: ask(tenant, asked()).status, until=lambda status: status == "exact")


@pytest.mark.parametrize(
    "question",
    [
        "x" * 100_000,
        "What was Apple's revenue in Q3 2024? " * 2_700,
        "\U0001f600\U0001f680",
        "\U0001f600",
        "12345",
        "12346",
        "Umsatz von Apple im dritten Quartal 2024?",
        "苹果公司2024年第三季度的收入是多少",
        "苹果公司2024年第四季度的收入是多少",
        "ما هي إيرادات آبل؟",
        "\u202eWhat was Apple's revenue?",
        "a\u0000b",
        " ",
        "?",
    ],
    ids=lambda question: repr(question[:12]),
)
def test_odd_questions_are_answered_as_asked(tenant: Tenant, question: str) -> None:
    with tenant.gateway.client(tenant_key(tenant.name)) as client:
        answers = [client.post(CHAT, json=asked(question)) for _ in range(2)]
        assert len({answer.status_code for answer in answers}) == 1
        if answers[0].status_code != 200:
            # Longer than the engine's context, which is the engine's to say.
            assert (answers[0].status_code, len(question) > 50_000) == (400, True)
            return
        first, again = (CachedAnswer.of(answer) for answer in answers)
        assert first.text == again.text
        # And whatever was stored of it serves no other question.
        other = CachedAnswer.of(client.post(CHAT, json=asked(f"{question} 7")))
        assert other.status == "miss"


@pytest.fixture(scope="module")
def damaged_model(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder with one byte of its largest file changed."""
    folder = tmp_path_factory.mktemp("model") / "damaged"
    shutil.copytree(minilm_dir, folder)
    largest = max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    largest.write_bytes(content)
    return folder


def lines(gateway: Gateway, words: str) -> list[str]:
    """Of the log, which is written a moment later than what it tells of."""
    return [line for line in gateway.log().splitlines() if words in line]


def test_with_a_damaged_model_the_other_tiers_go_on(
    gateways: GatewayFactory, engine: Engine, damaged_model: Path, whole_redis: RedisServer
) -> None:
    assert engine.process.is_running()
    assert whole_redis.pid
    for asked_of in asking(gateways, "damaged-model", EMBEDDER_MODEL_DIR=damaged_model, SEMANTIC_CACHE_TIMEOUT_S=5):
        asked_of.until("exact")
        assert asked_of.status(SAME_AS_Q3) == "canonical"
        asked_of.until("exact", BACKLOG)
        assert asked_of.status(NEAR_BACKLOG, NO_STORE) == "miss"
        report = asked_of.gateway.readiness()
        assert report.status_code == 200
        assert report.json()["status"] == "degraded"
        assert report.json()["dependencies"]["embedder"] == "away (EmbedderUnavailable)"
        said = eventually(lambda: lines(asked_of.gateway, "there is no embedder"), until=bool)  # noqa: B023 - at once
        assert all("is damaged" in line for line in said)
