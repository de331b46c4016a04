"""Requests and answers over real sockets: reuse, replacement, addresses, numbers."""

from __future__ import annotations

import asyncio
import socket

import pytest

from serving.http.errors import ConnectFailed, ConnectionLost, MalformedResponse
from serving.http.pool import ConnectionPool, Origin
from tests.integration.serving.http.conftest import Client, Start, open_sockets, soon
from tests.integration.serving.http.raw_server import OK, Peer, RawServer, answer, echo


async def test_a_connection_serves_one_request_after_the_other(start: Start) -> None:
    server, client = await start(echo)
    for number in range(20):
        assert await client.ask(b"%d" % number) == b"%d" % number
    assert len(server.peers) == 1


async def test_a_stream_comes_as_it_is_sent(start: Start) -> None:
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await heard.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await peer.left()

    server, client = await start(script)
    response = await client.open()
    assert await response.read_some() == b"one"
    assert not response.complete
    heard.set()
    assert await response.read_some() == b"two"
    assert await response.read_some() == b""
    assert not server.peers[0].gone.is_set()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n",
    ],
)
async def test_a_server_that_will_close_gets_no_second_request(start: Start, head: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head + b"hi")
        await peer.left()

    server, client = await start(script)
    assert [await client.ask() for _ in range(2)] == [b"hi", b"hi"]
    assert len(server.peers) == 2
    assert await soon(lambda: all(peer.gone.is_set() for peer in server.peers))


async def test_a_body_may_end_with_its_connection(start: Start) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nsome")
        await peer.send(b" more")
        peer.close()

    _, client = await start(script)
    assert await client.ask() == b"some more"
    assert await client.ask() == b"some more"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "sent",
    [
        OK + b"content-length: 100\r\n\r\nhalf",
        OK + b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        OK + b"transfer-encoding: chunked \r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_a_truncated_body_is_never_whole(start: Start, sent: bytes, how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await go_on.wait()
        getattr(peer, how)()

    go_on = asyncio.Event()
    server, client = await start(script)
    response = await client.open()
    assert await response.read_some() == b"half"
    go_on.set()
    with pytest.raises(ConnectionLost) as lost:
        await response.read()
    assert lost.value.answered
    assert not response.complete
    assert len(server.peers) == 1


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_kept_connection_that_ends_unanswered_is_replaced(start: Start, how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"%d" % peer.number))
        if await peer.request() is not None and peer.number == 1:
            getattr(peer, how)()
        else:
            await peer.send(answer(b"again"))

    server, client = await start(script)
    assert await client.ask() == b"1"
    assert await client.ask() == b"2"
    assert server.peers[0].requests == 2
    assert len(server.peers) == 2


async def test_a_kept_connection_that_ended_before_is_not_used(start: Start) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer())
        peer.close()

    server, client = await start(script)
    await client.ask()
    await asyncio.sleep(0.05)
    await client.ask()
    assert [peer.requests for peer in server.peers] == [1, 1]


async def test_a_replacement_is_not_replaced_again(start: Start) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.request()
            await peer.send(answer())
        await peer.request()
        peer.reset()

    server, client = await start(script)
    await client.ask()
    with pytest.raises(ConnectionLost) as lost:
        await client.ask()
    assert not lost.value.answered
    assert server.requests == 3


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("sent", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"content-length: 5\r\n\r\n"])
async def test_a_new_connection_and_one_that_answered_are_not_replaced(start: Start, sent: bytes, how: str) -> None:
    """The engine may have done the work already."""

    async def script(peer: Peer) -> None:
        if sent:
            await peer.request()
            await peer.send(answer())
        await peer.request()
        if sent:
            await peer.send(sent)
            await asyncio.sleep(0.02)  # a reset may overtake what was sent
        getattr(peer, how)()

    server, client = await start(script)
    if sent:
        await client.ask()
    with pytest.raises(ConnectionLost) as lost:
        await client.ask()
    assert lost.value.answered is bool(sent)
    assert len(server.peers) == 1


async def test_a_server_that_speaks_first_is_not_understood(start: Start) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"220 mail.example ESMTP\r\n")
        await peer.left()

    server, client = await start(script)
    with pytest.raises((ConnectionLost, MalformedResponse)):
        await client.ask()
    assert await soon(server.peers[0].gone.is_set)


async def test_a_server_that_closes_at_once_is_a_lost_connection(start: Start) -> None:
    async def script(peer: Peer) -> None:
        peer.reset()

    _, client = await start(script)
    for _ in range(20):
        with pytest.raises(ConnectionLost):
            await client.ask()


@pytest.mark.parametrize("extra", [answer(b"smuggled"), b"HTTP/1.1 200 OK\r\ncontent-le", b"H", b"garbage"])
async def test_what_follows_an_answer_is_never_the_next_answer(start: Start, extra: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"%d" % peer.number) + extra)
        if await peer.request() is not None:
            await peer.send(b"ngth: 8\r\n\r\nsmuggled")

    server, client = await start(script)
    assert [await client.ask() for _ in range(3)] == [b"1", b"2", b"3"]
    assert await soon(lambda: all(peer.gone.is_set() for peer in server.peers))


@pytest.mark.parametrize("host", ["::1", "localhost", "127.0.0.1"])
async def test_addresses_and_names(start: Start, host: str) -> None:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert head is not None
        await peer.send(answer(next(line for line in head.split(b"\r\n") if line.startswith(b"host: "))))

    server, client = await start(script, host=host)
    assert await client.ask() == f"host: {server.origin.authority}".encode()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "a" * 64, "a..b"])
async def test_nobody_there_is_a_failed_connection(host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Client(ConnectionPool(connect_timeout_s=20), Origin(host, unused.getsockname()[1], False))
        with pytest.raises(ConnectFailed, match=f"cannot connect to {client.origin.authority}: "):
            await client.ask()


async def test_a_thousand_requests_at_once_share_nothing_but_the_pool(start: Start) -> None:
    server, client = await start(echo)
    before = open_sockets()
    for _ in range(2):
        bodies = [b"%d" % number * 50 for number in range(1000)]
        assert await asyncio.gather(*(client.ask(body) for body in bodies)) == bodies
    assert server.requests == 2000
    assert len(server.peers) <= 1000
    await client.pool.aclose()
    assert await soon(lambda: open_sockets() == before)


async def test_origins_are_kept_apart(start: Start) -> None:
    async def other(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(answer(b"other"))

    server, client = await start(echo)
    async with RawServer(other).running() as second:
        far = Client(client.pool, second.origin)
        for _ in range(3):
            assert await client.ask(b"near") == b"near"
            assert await far.ask(b"far") == b"other"
        assert (len(server.peers), len(second.peers)) == (1, 1)
        await client.pool.aclose()
