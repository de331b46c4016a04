"""When connections end: cancelled callers, age, shutdown, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from serving.http.connection import Connection
from serving.http.errors import ConnectionLost
from serving.http.pool import ConnectionPool, Origin
from tests.integration.serving.http.conftest import PATIENT_S, Client, Start, open_sockets, soon
from tests.integration.serving.http.raw_server import OK, Peer, answer, echo


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connecting takes for ever: its queue of waiting connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting: list[socket.socket] = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield listener.getsockname()[1]
        for client in waiting:
            client.close()


async def test_a_silent_address_is_a_timeout(silent_port: int) -> None:
    before = open_sockets()
    client = Client(ConnectionPool(connect_timeout_s=0.05), Origin("127.0.0.1", silent_port, False))
    with pytest.raises(TimeoutError, match=rf"no connection to 127.0.0.1:{silent_port} in 0.05 s"):
        await client.ask()
    assert await soon(lambda: open_sockets() == before)


async def test_a_request_may_have_its_own_time_to_connect(silent_port: int) -> None:
    pool = ConnectionPool(connect_timeout_s=PATIENT_S)
    with pytest.raises(TimeoutError, match=r"in 0.05 s"):
        await pool.request(Origin("127.0.0.1", silent_port, False), b"", b"", connect_timeout_s=0.05)


async def test_a_silent_handshake_is_a_timeout(start: Start, trusting: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.left()

    server, client = await start(script, connect_timeout_s=0.2)
    silent = Client(ConnectionPool(connect_timeout_s=0.2, tls=trusting), Origin("127.0.0.1", server.origin.port, True))
    with pytest.raises(TimeoutError, match="no connection"):
        await silent.ask()
    assert await soon(lambda: all(peer.gone.is_set() for peer in server.peers))
    await client.pool.aclose()


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_caller_cancelled_while_it_connects_leaves_nothing(silent_port: int) -> None:
    before = open_sockets()
    client = Client(ConnectionPool(connect_timeout_s=PATIENT_S), Origin("127.0.0.1", silent_port, False))
    task: asyncio.Task[object] = asyncio.create_task(client.ask())
    assert await soon(lambda: open_sockets() > before)
    await cancelled(task)
    assert await soon(lambda: open_sockets() == before)


async def _nothing(peer: Peer) -> None:
    await peer.request()
    await peer.left()


async def _part_of_a_head(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK + b"x: ")
    await peer.left()


async def _part_of_a_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK + b"content-length: 100\r\n\r\nhalf")
    await peer.left()


@pytest.mark.parametrize("script", [_nothing, _part_of_a_head, _part_of_a_body])
async def test_a_caller_cancelled_while_it_waits_stops_the_engine(
    start: Start, script: Callable[[Peer], Awaitable[None]]
) -> None:
    server, client = await start(script)
    task: asyncio.Task[object] = asyncio.create_task(client.ask())
    assert await soon(lambda: server.requests == 1)
    await asyncio.sleep(0.01)
    await cancelled(task)
    assert await soon(server.peers[0].gone.is_set)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_a_caller_may_be_cancelled_at_any_turn_of_the_loop(
    start: Start, kept: bool, secure: bool, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    server, client = await start(echo, server_tls=server_tls if secure else None, tls=trusting)
    outcomes: set[bytes | bool] = set()
    for turns in range(60 if secure else 30):
        if kept:
            assert await client.ask(b"first") == b"first"
        else:
            await client.pool.aclose()
            client.pool = ConnectionPool(connect_timeout_s=PATIENT_S, tls=trusting)
        task = asyncio.create_task(client.ask(b"cancelled"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            outcomes.add(await task)
        outcomes.add(task.cancelled())
        assert await client.ask(b"after") == b"after"
    assert True in outcomes
    assert outcomes <= {True, False, b"cancelled"}
    await client.pool.aclose()
    assert await soon(lambda: all(peer.gone.is_set() or peer.reader.at_eof() for peer in server.peers))


async def test_an_idle_connection_is_closed_when_it_is_old(start: Start) -> None:
    server, client = await start(echo, keep_idle_s=0.05)
    await asyncio.gather(*(client.ask() for _ in range(5)))
    assert await soon(lambda: all(peer.gone.is_set() for peer in server.peers))
    await client.ask()
    assert server.peers[-1].requests == 1
    assert await soon(server.peers[-1].gone.is_set)


async def test_an_old_connection_is_not_used_even_before_it_is_closed(start: Start) -> None:
    server, client = await start(echo, keep_idle_s=0.05)
    await client.ask()
    time.sleep(0.1)  # noqa: ASYNC251 - so that the loop cannot close it in the meantime
    await asyncio.sleep(0)
    await client.ask()
    assert [peer.requests for peer in server.peers] == [1, 1]


async def test_the_connection_used_last_is_used_next_so_that_others_grow_old(start: Start) -> None:
    server, client = await start(echo)
    responses = await asyncio.gather(*(client.open(b"x") for _ in range(3)))
    for response in responses:
        await response.read()
    before = [peer.requests for peer in server.peers]
    for _ in range(5):
        await client.ask()
    after = [peer.requests for peer in server.peers]
    assert sorted(now - then for now, then in zip(after, before, strict=True)) == [0, 0, 5]


async def test_a_dead_connection_is_passed_over_for_a_living_one(start: Start) -> None:
    async def script(peer: Peer) -> None:
        while (request := await peer.request()) is not None:
            await peer.send(answer(b"%d" % peer.number))
            if request.endswith(b"leave"):
                peer.close()

    server, client = await start(script)
    stayed, _ = await asyncio.gather(client.ask(b"stay"), client.ask(b"leave"))
    idle = client.pool._idle[client.origin]
    assert await soon(lambda: [connection.usable for connection in idle].count(False) == 1)
    idle.rotate(0 if idle[0].usable else 1)  # the dead one is the next to be picked
    assert [connection.usable for connection in idle] == [True, False]
    assert await client.ask() == stayed
    assert len(server.peers) == 2


async def test_a_closed_pool_closes_idle_connections_now_and_busy_ones_later(start: Start) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        while (request := await peer.request()) is not None:
            await peer.send(OK + b"content-length: 2\r\n\r\n1")
            if request.endswith(b"wait"):
                await go_on.wait()
            await peer.send(b"2")

    server, client = await start(script)
    busy = await client.open(b"wait")
    assert await client.ask() == b"12"
    await client.pool.aclose()
    assert await soon(server.peers[1].gone.is_set)
    assert not server.peers[0].gone.is_set()
    go_on.set()
    assert await busy.read() == b"12"
    assert not any(client.pool._idle.values())
    assert await soon(server.peers[0].gone.is_set)
    await client.pool.aclose()


async def test_a_closed_pools_sockets_are_closed_when_it_returns(start: Start) -> None:
    _, client = await start(echo)
    await asyncio.gather(*(client.ask() for _ in range(3)))
    idle = list(client.pool._idle[client.origin])
    await client.pool.aclose()
    assert [connection._transport for connection in idle] == [None] * 3


async def test_a_server_that_only_half_closes_is_gone(start: Start) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer())
        if peer.number > 1:
            await peer.request()
            await peer.send(OK + b"content-length: 10\r\n\r\nhalf")
        peer.writer.write_eof()
        await peer.left()

    server, client = await start(script)
    await client.ask()
    assert await soon(server.peers[0].gone.is_set)
    await client.ask()
    with pytest.raises(ConnectionLost):
        await client.ask()
    assert await soon(server.peers[1].gone.is_set)


async def test_a_server_that_half_closes_before_it_has_read_the_request_is_gone(start: Start) -> None:
    async def script(peer: Peer) -> None:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined] # the request stays in the sockets' buffers
        peer.writer.write_eof()
        await let_go.wait()

    let_go = asyncio.Event()
    _, client = await start(script)
    with pytest.raises(ConnectionLost) as lost:
        await client.ask(b"a" * 20_000_000)
    assert not lost.value.answered
    let_go.set()


async def test_ended_connections_leave_nothing_to_the_garbage_collector(start: Start) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(headers=b"connection: close\r\n"))
        await peer.left()

    def connections() -> int:
        return sum(isinstance(found, Connection) for found in gc.get_objects())

    _, client = await start(script)
    gc.collect()
    gc.disable()
    try:
        before = connections()
        for _ in range(10):
            response = await client.pool.request(client.origin, b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"")
            assert await response.read() == b"hello"
        assert connections() > before
        del response
        assert await soon(lambda: connections() == before)
    finally:
        gc.enable()
