"""One WebSocket as a server drives it: requests through a whole pipeline, and what stops them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message

from api.middleware.query_keys import QueryKeys
from api.routes.websocket import SocketLimits, WebSocketCompletions
from api.websocket_protocol import SHUTDOWN
from serving.errors import BackendInterrupted
from tests.unit.api.fakes import CHAT, KEY, Journal
from tests.unit.api.house import House

CHUNK = {"id": "i", "created": 1, "choices": [{"delta": {"content": "Hi"}}]}
TERMINAL = {"done", "cancelled", "error"}


class Client:
    """The server's side of ASGI, as the protocol class plays it."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.outgoing: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.incoming.put_nowait({"type": "websocket.connect"})

    async def receive(self) -> Message:
        return await self.incoming.get()

    async def send(self, message: Message) -> None:
        if self.gone:
            raise OSError("the client is gone")
        await self.reads.wait()
        if message["type"] == "websocket.close":
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        self.outgoing.put_nowait(message)

    def say(self, message: Any) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def request(self, request_id: str, **changes: Any) -> None:
        self.say({"type": "request", "request_id": request_id, "body": {**CHAT, "stream": True, **changes}})

    def leave(self) -> None:
        self.gone = True
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def message(self) -> Message:
        return await asyncio.wait_for(self.outgoing.get(), 10)

    async def last(self) -> dict[str, Any]:
        """The last event of the request whose events come next."""
        while (event := json.loads((await self.message())["text"]))["type"] not in TERMINAL:
            pass
        assert isinstance(event, dict)
        return event


@asynccontextmanager
async def connected(
    house: House, *, idle_timeout_s: float = 30.0, timeout_s: float = 30.0
) -> AsyncIterator[tuple[Client, asyncio.Task[None]]]:
    """An accepted connection and the task that serves it, which must end by itself; nothing is left behind."""
    limits = SocketLimits(
        max_connections=1,
        tenant_share=1,
        idle_timeout_s=idle_timeout_s,
        request_timeout_s=timeout_s,
        allowed_origins=frozenset(),
    )
    query_keys = QueryKeys(lambda *_: None)
    app = WebSocketCompletions(house.pipeline, house.accounting, house.metrics, limits=limits, query_keys=query_keys)
    scope = {
        "type": "websocket",
        "path": "/v1/chat/completions",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
        "subprotocols": [],
        "state": {},
    }
    before = asyncio.all_tasks()
    client = Client()
    task = asyncio.create_task(app(scope, client.receive, client.send))
    accepted = await client.message()
    assert accepted["type"] == "websocket.accept"
    yield client, task
    # `wait_for` would cancel it, and a session ends in peace when it is cancelled.
    await asyncio.wait({task}, timeout=10)
    assert task.done()
    await task
    assert asyncio.all_tasks() == before
    assert house.holds_nothing
    assert b"gateway_websockets 0.0\n" in house.metrics.exposition()


async def stopped(house: House) -> None:
    await asyncio.wait_for(house.journal.stopped.wait(), 10)


async def timed_out(house: House) -> None:
    async with asyncio.timeout(10):
        while b'outcome="upstream_timeout"' not in house.metrics.exposition():  # noqa: ASYNC110 - metrics have no event
            await asyncio.sleep(0.01)


def rows(house: House) -> list[str]:
    return [row.outcome for row in house.ledger.rows]


async def test_a_request_from_its_message_to_its_bill() -> None:
    house = House([[CHUNK, CHUNK], [CHUNK]])
    async with connected(house) as (client, _):
        client.request("r1")
        types = [json.loads((await client.message())["text"])["type"] for _ in range(5)]
        assert types == ["started", "data", "data", "data", "done"]
        client.leave()
    assert [(row.request_id, row.outcome) for row in house.ledger.rows] == [("r1", "ok")]
    assert house.backend.requests[0].request_id == "r1"


STAGES = ["reserve", "guard", "cache", "open", "frame"]
# What the ledger says of a request that ended there.
ENDS = {
    "guard": ["abandoned"],
    "cache": ["abandoned"],
    "open": ["abandoned"],
    "frame": ["cancelled"],
}


@pytest.mark.parametrize("stage", STAGES)
async def test_a_cancelled_request_lets_go_wherever_it_is(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    async with connected(house) as (client, _):
        client.request("r1")
        await stopped(house)
        client.say({"type": "cancel", "request_id": "r1"})
        assert await client.last() == {"type": "cancelled", "request_id": "r1"}
        assert house.holds_nothing
        client.leave()
    assert rows(house) == ENDS.get(stage, [])


@pytest.mark.parametrize("stage", STAGES)
async def test_a_client_that_leaves_stops_its_requests(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    async with connected(house) as (client, _):
        client.request("r1")
        await stopped(house)
        client.leave()
    assert rows(house) == ENDS.get(stage, [])
    assert b'outcome="cancelled"' in house.metrics.exposition()


async def test_a_client_that_is_found_gone_by_sending_stops_its_request() -> None:
    house = House([[CHUNK]] * 3)
    async with connected(house) as (client, _):
        client.gone = True
        client.request("r1")
        while not house.ledger.rows:  # noqa: ASYNC110 - the ledger has no event
            await asyncio.sleep(0)
        client.leave()
    assert rows(house) == ["cancelled"]


@pytest.mark.parametrize("stage", ["guard", "open", "frame"])
async def test_a_shutdown_that_cannot_wait_tells_the_client(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    async with connected(house) as (client, task):
        client.request("r1")
        await stopped(house)
        client.incoming.put_nowait({"type": SHUTDOWN})
        await asyncio.sleep(0)
        task.cancel()
        last = await client.last()
        assert (last["type"], last["status"], last["error"]["code"]) == ("error", 503, "server_is_overloaded")
        assert (await client.message())["code"] == 1012
    assert rows(house) == (["shutdown"] if stage == "frame" else ENDS[stage])


async def test_a_shutdown_that_can_wait_closes_with_the_last_answer() -> None:
    house = House([[CHUNK]])
    async with connected(house) as (client, _):
        client.request("r1")
        client.incoming.put_nowait({"type": SHUTDOWN})
        client.request("r2")
        ends = {event["request_id"]: event for event in (await client.last(), await client.last())}
        assert ends["r1"]["type"] == "done"
        assert ends["r2"]["error"]["code"] == "server_is_overloaded"
        assert (await client.message())["code"] == 1012


async def test_a_key_that_is_not_accepted_any_more_ends_the_connection() -> None:
    house = House([[CHUNK]])
    async with connected(house) as (client, _):
        client.request("r1")
        assert (await client.last())["type"] == "done"
        house.keys.known = {}
        client.request("r2")
        last = await client.last()
        assert (last["status"], last["error"]["code"]) == (401, "invalid_api_key")
        assert (await client.message())["code"] == 1008


async def test_a_client_that_reads_late_is_told_how_its_request_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.websocket_session._LAST_WORDS_S", 0.01)
    house = House([[CHUNK]], journal=Journal(stop_at="guard"))
    async with connected(house, timeout_s=0.05) as (client, _):
        client.reads.clear()
        client.request("r1")
        await timed_out(house)
        client.say({"type": "cancel", "request_id": "r1"})  # comes too late, and must not take the answer's place
        await asyncio.sleep(0.05)
        client.reads.set()
        last = await client.last()
        assert (last["request_id"], last["error"]["code"]) == ("r1", "upstream_timeout")
        client.leave()


async def test_a_connection_ends_whose_client_does_not_read_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.websocket_session._LAST_WORDS_S", 0.01)
    house = House([[CHUNK]])
    async with connected(house, idle_timeout_s=0.05) as (client, _):
        client.reads.clear()


async def test_a_last_event_that_nobody_reads_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.websocket_session._LAST_WORDS_S", 0.01)
    house = House([[CHUNK]], journal=Journal(stop_at="guard"))
    async with connected(house, timeout_s=0.05) as (client, task):
        client.reads.clear()
        client.request("r1")
        await timed_out(house)
        task.cancel()


@pytest.mark.parametrize("stage", ["guard", "open", "frame"])
async def test_a_request_that_takes_too_long_ends_in_an_error(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    async with connected(house, timeout_s=0.05) as (client, _):
        client.request("r1")
        last = await client.last()
        assert (last["status"], last["error"]["code"]) == (504, "upstream_timeout")
        client.leave()


async def test_a_stream_that_breaks_off_ends_in_an_error_and_is_billed() -> None:
    house = House([[CHUNK], BackendInterrupted("broke off", upstream="fast-1")])
    async with connected(house) as (client, _):
        client.request("r1")
        assert (await client.last())["error"]["code"] == "upstream_failed"
        client.leave()
    assert rows(house) == ["upstream_failed"]


async def test_our_own_mistake_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    house = House(journal=Journal(fail_at="guard", error=RuntimeError("password=hunter2")))
    async with connected(house) as (client, _):
        client.request("r1")
        last = await client.last()
        assert (last["status"], last["error"]["code"]) == (500, "internal_error")
        assert "hunter2" not in json.dumps(last)
        client.leave()
    assert "unhandled error" in caplog.text


async def test_an_idle_connection_is_closed_and_one_with_a_request_is_not() -> None:
    house = House([[CHUNK]], journal=Journal(stop_at="frame"))
    async with connected(house, idle_timeout_s=0.05) as (client, _):
        client.request("r1")
        await stopped(house)
        await asyncio.sleep(0.2)
        assert json.loads((await client.message())["text"])["type"] == "started"
        assert client.outgoing.empty()
        client.say({"type": "cancel", "request_id": "r1"})
        assert (await client.last())["type"] == "cancelled"
        assert (await client.message())["code"] == 1000
