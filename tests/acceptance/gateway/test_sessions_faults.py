"""Conversations while their store is away, and many at once: every call is answered, and told what it can rely on."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.conversation_scripts import GO_ON, HELLO_YOU, last_prompt
from tests.acceptance.gateway.conversations import SESSIONS, Conversation, Heard, user
from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    directory = tmp_path_factory.mktemp("sessions-redis")
    service = redis_service(directory=directory, port=free_port(), log_file=directory / "redis.log")
    process = ServiceProcess(service=service)
    process.start_ready()
    yield process
    process.thaw()
    process.stop()


@pytest.fixture
def own_redis(shared_redis: ServiceProcess) -> Iterator[ServiceProcess]:
    """A Redis that only this module's gateway uses, running before and after."""
    yield shared_redis
    shared_redis.thaw()
    shared_redis.start_ready()


@pytest.fixture(scope="module")
def exposed(gateways: GatewayFactory, shared_redis: ServiceProcess, talking_models: Path) -> Iterator[Gateway]:
    """Two workers with the usual patience with Redis."""
    directory = Path(shared_redis.service.log_file).parent
    gateway = gateways.start(
        WORKERS=2,
        SESSION_TIMEOUT_S=0.1,
        RATE_LIMIT_TIMEOUT_S=0.08,
        REDIS_URL=redis_url(directory=directory, port=shared_redis.service.port),
        MODELS_FILE=str(talking_models),
    )
    yield gateway
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.fixture
def talk(exposed: Gateway, own_redis: ServiceProcess) -> Conversation:
    assert own_redis.is_running()
    all_workers_have_their_store(exposed)
    return Conversation(exposed)


def all_workers_have_their_store(gateway: Gateway) -> None:
    eventually(lambda: gateway.samples().total("gateway_session_store_up"), until=lambda workers: workers == 2)


@pytest.mark.parametrize("fault", ["kill", "freeze"])
@pytest.mark.parametrize("script", ["whole", "stream"])
def test_a_call_goes_on_without_its_history_and_says_so(
    talk: Conversation, own_redis: ServiceProcess, talker: ScriptedUpstream, fault: str, script: str
) -> None:
    how = {"model": script, "stream": script == "stream"}
    talk.say("one", **how)
    getattr(own_redis, fault)()
    for _ in range(6):
        began_s = time.monotonic()
        heard = talk.say("two", **how)
        assert (heard.state, heard.session_id, heard.text) == ("stateless", talk.id, "Hello you")
        assert time.monotonic() - began_s < 2
    assert last_prompt(talker, script) == [user("two")]
    refused = talk.show()
    conforms(refused.json(), ERROR)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "sessions_unavailable")
    assert refused.headers["retry-after"] == "1"
    with talk.gateway.client() as client:
        assert client.post(SESSIONS).status_code == 503
    own_redis.thaw()
    own_redis.start_ready()
    all_workers_have_their_store(talk.gateway)
    # Nothing of what was said meanwhile is there; what was said before is, unless this Redis lost it.
    state = talk.say("three", **how).state
    assert talk.turns()[-1] == [user("three"), HELLO_YOU]
    assert len(talk.turns()) == (2 if state == "continued" else 1)


def test_a_store_that_goes_before_the_end_costs_the_turn_and_not_the_answer(
    talk: Conversation, own_redis: ServiceProcess
) -> None:
    lost = talk.gateway.samples().total("gateway_session_turns_total", outcome="lost")
    GO_ON.clear()
    heard: list[Heard] = []

    def ask(script: str) -> None:
        heard.append(talk.say("one", model=script, stream=script == "waits-stream"))

    calls = [threading.Thread(target=ask, args=(script,)) for script in ("waits", "waits-stream")]
    for call in calls:
        call.start()
    eventually(talk.gateway.in_flight, until=lambda count: count == 2)
    own_redis.kill()
    GO_ON.set()
    for call in calls:
        call.join(20)
    assert sorted(str(each.state) for each in heard) == ["new", "not-stored"]
    assert {each.text for each in heard} == {"Hello you"}
    assert talk.gateway.samples().total("gateway_session_turns_total", outcome="lost") == lost + 2
    eventually(talk.gateway.log, until=lambda log: log.count("a turn was lost") >= 2)
    assert "Hello you" not in talk.gateway.log()


async def test_a_thousand_turns_at_once_to_one_session(gateway: Gateway) -> None:
    """Over two workers: all are answered, and twenty are kept."""
    talk = Conversation(gateway)
    headers = {"X-Session-Id": talk.id}
    turnstile = asyncio.Semaphore(100)  # connections, not turns: a test's machine has only so many

    async def ask(number: int) -> tuple[int, str]:
        async with turnstile:
            body = {"messages": [user(str(number))], "max_tokens": 1}
            answer = await client.post(CHAT, json=body, headers=headers)
            return answer.status_code, answer.headers["x-session"]

    async with gateway.async_client(timeout_s=60) as client:
        told = Counter(await asyncio.gather(*map(ask, range(1000))))
    assert told.keys() <= {(200, "new"), (200, "continued")}
    turns = await asyncio.to_thread(talk.turns)
    assert len(turns) == 20
    assert len({json.dumps(turn) for turn in turns}) == 20
