"""A replica's application around engines that answer, hang, die and do not listen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serving.engines.application import EngineApplication
from serving.engines.base import EngineFailure, EngineStartError, Message, Receive, Scope, Send

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}


class ScriptedEngine:
    """Does what its switches say. `work` is what a request's work is like: it ends when `may_answer` is set."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.scopes: list[Scope] = []
        self.start_error: EngineStartError | None = None
        self.check_error: EngineFailure | None = None
        self.hangs = False
        self.listens = True
        self.may_answer = asyncio.Event()
        self.death = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        self.events.append("start")
        if self.start_error is not None:
            raise self.start_error

    async def check(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.check_error is not None:
            raise self.check_error

    async def failed(self) -> str:
        return str(await asyncio.shield(self.death))

    async def stop(self) -> None:
        self.events.append("stop")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Works in a task of its own, which cancelling the call does not reach: only a departure does."""
        self.scopes.append(scope)
        await receive()
        work = asyncio.create_task(self.may_answer.wait())
        leaving = asyncio.create_task(self._leaving(receive))
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not work.done():
            work.cancel()
            self.events.append("dropped")
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})

    async def _leaving(self, receive: Receive) -> None:
        if not self.listens:
            await asyncio.Event().wait()
        while (await receive())["type"] != "http.disconnect":
            pass


class Client:
    """The server's side of one request."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": b"{}"})

    async def receive(self) -> Message:
        message = await self._messages.get()
        if message["type"] == "http.disconnect":
            self._messages.put_nowait(message)
        return message

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})


@pytest.fixture
async def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def exits() -> list[int]:
    return []


@pytest.fixture
async def application(engine: ScriptedEngine, exits: list[int]) -> AsyncIterator[EngineApplication]:
    application = EngineApplication(
        engine=engine, exit_process=exits.append, check_timeout_s=0.01, last_words_s=30, departure_s=0.05
    )
    yield application
    await application.stop()


async def test_an_answer_passes_untouched(application: EngineApplication, engine: ScriptedEngine) -> None:
    engine.may_answer.set()
    client = Client()
    await application({**SCOPE}, client.receive, client.send)
    assert [message.get("body") for message in client.sent] == [None, b"answer"]


@pytest.mark.parametrize(
    ("root", "path", "seen"),
    [("", "/v1/models", "/v1/models"), ("/fast", "/fast/v1/models", "/v1/models"), ("/fast", "/fast", "/")],
)
async def test_the_engine_sees_itself_at_the_root(
    application: EngineApplication, engine: ScriptedEngine, root: str, path: str, seen: str
) -> None:
    engine.may_answer.set()
    client = Client()
    scope = {**SCOPE, "root_path": root, "path": path, "raw_path": path.encode()}
    await application(scope, client.receive, client.send)
    (unmounted,) = engine.scopes
    assert (unmounted["root_path"], unmounted["path"], unmounted["raw_path"]) == ("", seen, seen.encode())
    assert scope["path"] == path  # the server still needs its own


async def test_work_that_cancellation_does_not_reach_ends_with_its_client(
    application: EngineApplication, engine: ScriptedEngine
) -> None:
    client = Client()
    serving = asyncio.create_task(application({**SCOPE}, client.receive, client.send))
    await asyncio.sleep(0.01)
    client.leave()
    serving.cancel()  # as Ray does
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert engine.events == ["dropped"]


async def test_an_engine_that_does_not_listen_is_cancelled(
    application: EngineApplication, engine: ScriptedEngine
) -> None:
    engine.listens = False
    client = Client()
    serving = asyncio.create_task(application({**SCOPE}, client.receive, client.send))
    await asyncio.sleep(0.01)
    client.leave()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 5)
    assert client.sent == []


async def test_an_impatient_server_leaves_no_work_behind(
    application: EngineApplication, engine: ScriptedEngine
) -> None:
    engine.listens = False
    before = asyncio.all_tasks()
    client = Client()
    serving = asyncio.create_task(application({**SCOPE}, client.receive, client.send))
    await asyncio.sleep(0.01)
    (work,) = {task for task in asyncio.all_tasks() - before if "ScriptedEngine.__call__" in repr(task)}
    serving.cancel()
    await asyncio.sleep(0)
    serving.cancel()  # while the engine still has time to notice
    with pytest.raises(asyncio.CancelledError):
        await serving
    await asyncio.wait_for(asyncio.wait({work}), 5)
    assert work.cancelled()


async def test_a_dead_engine_ends_the_replica(
    application: EngineApplication, engine: ScriptedEngine, exits: list[int]
) -> None:
    await application.start()
    engine.death.set_result("EngineCore is dead")
    await asyncio.sleep(0.01)
    assert exits == [1]
    with pytest.raises(EngineFailure, match="EngineCore is dead"):
        await application.check()


async def test_requests_in_flight_may_say_so_before_the_replica_ends(
    application: EngineApplication, engine: ScriptedEngine, exits: list[int]
) -> None:
    await application.start()
    client = Client()
    serving = asyncio.create_task(application({**SCOPE}, client.receive, client.send))
    await asyncio.sleep(0.01)
    engine.death.set_result("EngineCore is dead")
    await asyncio.sleep(0.01)
    assert exits == []
    engine.may_answer.set()
    await serving
    await asyncio.sleep(0.01)
    assert exits == [1]


async def test_a_request_that_never_ends_does_not_keep_a_dead_replica(engine: ScriptedEngine) -> None:
    ended = asyncio.Event()
    application = EngineApplication(engine=engine, exit_process=lambda _code: ended.set(), last_words_s=0.05)
    await application.start()
    client = Client()
    serving = asyncio.create_task(application({**SCOPE}, client.receive, client.send))
    await asyncio.sleep(0.01)
    engine.death.set_result("EngineCore is dead")
    await asyncio.wait_for(ended.wait(), 5)
    client.leave()
    await serving
    await application.stop()


async def test_a_request_after_the_death_gets_an_error_to_retry(
    application: EngineApplication, engine: ScriptedEngine
) -> None:
    await application.start()
    engine.death.set_result("EngineCore is dead")
    await asyncio.sleep(0.01)
    client = Client()
    await application({**SCOPE}, client.receive, client.send)
    start, body = client.sent
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["error"]["code"] == "engine_dead"


async def test_a_hanging_engine_fails_its_check_in_time(application: EngineApplication, engine: ScriptedEngine) -> None:
    await application.check()
    engine.hangs = True
    with pytest.raises(EngineFailure, match=r"did not answer its health check in 0\.01 s"):
        await application.check()


async def test_a_check_says_what_the_engine_says(application: EngineApplication, engine: ScriptedEngine) -> None:
    engine.check_error = EngineFailure("the scheduler is not running")
    with pytest.raises(EngineFailure, match="the scheduler is not running"):
        await application.check()


async def test_an_engine_that_does_not_start_leaves_nothing_behind(
    application: EngineApplication, engine: ScriptedEngine
) -> None:
    engine.start_error = EngineStartError("there is no directory /models/x")
    with pytest.raises(EngineStartError, match="/models/x"):
        await application.start()
    assert engine.events == ["start", "stop"]


async def test_the_servers_end_is_the_engines(application: EngineApplication, engine: ScriptedEngine) -> None:
    await application.start()
    messages: list[dict[str, Any]] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await application({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert engine.events == ["start", "stop"]


async def test_a_websocket_is_refused(application: EngineApplication) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with contextlib.suppress(asyncio.TimeoutError):
        await application({"type": "websocket", "path": "/v1/realtime"}, Client().receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
