"""The client's side of a request: its body, and its going away."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from starlette.types import Message

from api.connection import ClientConnection, ClientGone

GONE: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """What the server's `receive` says: the messages, then nothing until `leave`."""

    connection: ClientConnection

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self._left = asyncio.Event()
        self.waited_for = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        self.waited_for.set()
        await self._left.wait()
        return GONE


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([part(b"whole", more=False)], b"whole"),
        ([part(b"in ", more=True), part(b"two ", more=True), part(b"parts", more=False)], b"in two parts"),
        ([part(b"", more=True), part(b"late", more=False)], b"late"),
        ([{"type": "http.request"}], b""),
    ],
)
async def test_the_whole_body(messages: list[Message], body: bytes) -> None:
    with ClientConnection(Client(*messages).receive) as client:
        assert await client.read_body() == body
        assert not client.gone


@pytest.mark.parametrize("messages", [[GONE], [part(b"half", more=True), GONE]])
async def test_a_client_that_leaves_while_it_sends(messages: list[Message]) -> None:
    with ClientConnection(Client(*messages).receive) as client:
        with pytest.raises(ClientGone):
            await client.read_body()
        assert client.gone


async def test_a_client_that_leaves_later_cancels_the_task_that_serves_it() -> None:
    sender = Client(part(b"", more=False))
    serving = asyncio.Event()

    async def serve() -> bool:
        with ClientConnection(sender.receive) as client:
            await client.read_body()
            serving.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return client.gone
        return False

    task = asyncio.create_task(serve())
    await asyncio.wait_for(serving.wait(), 10)
    sender.leave()
    assert await asyncio.wait_for(task, 10)


async def test_a_client_that_left_before_the_watch_began_is_noticed() -> None:
    sender = Client(part(b"", more=False), GONE)
    with ClientConnection(sender.receive) as client:
        await client.read_body()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.Event().wait(), 10)
        assert client.gone
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()


async def test_nobody_is_cancelled_once_the_answer_is_done() -> None:
    sender = Client(part(b"", more=False))
    before = asyncio.all_tasks()
    with ClientConnection(sender.receive) as client:
        await client.read_body()
        await asyncio.wait_for(sender.waited_for.wait(), 10)
        (watch,) = asyncio.all_tasks() - before
    sender.leave()
    await asyncio.wait([watch], timeout=10)
    assert watch.cancelled()
    assert not client.gone


async def test_no_watch_begins_once_the_answer_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.connection._WATCHED_AFTER_S", 0)
    sender = Client(part(b"", more=False))
    with ClientConnection(sender.receive) as client:
        await client.read_body()
    # A timer that was left behind would hit in the next turn of the loop and watch in the one after that.
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sender.waited_for.is_set()


async def test_a_request_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    sender = Client(part(b"whole", more=False))
    client = ClientConnection(sender.receive)
    sender.connection = client  # as the server's request leads to the call, and that to what reads its body
    over = weakref.ref(sender)
    gc.disable()
    try:
        with client:
            await client.read_body()
        del sender, client
        assert over() is None
    finally:
        gc.enable()
