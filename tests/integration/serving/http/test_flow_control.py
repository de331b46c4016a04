"""Bodies larger than the buffers between the two sides, in both directions."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from serving.http.errors import BodyTooLarge, ConnectionLost
from serving.http.response import Response
from tests.integration.serving.http.conftest import Start, soon
from tests.integration.serving.http.raw_server import OK, Peer, answer

MIB = 1024 * 1024
# The buffer's 256 KiB, and what one read of the socket may add.
BOUND_BYTES = 600 * 1024
PATTERN = bytes(range(256)) * 256  # 64 KiB


class Flood:
    """A server that sends 24 MiB as fast as they are taken, and knows how far it came."""

    size = 24 * MIB

    def __init__(self, *, chunked: bool) -> None:
        self.chunked = chunked
        self.sent = 0

    async def __call__(self, peer: Peer) -> None:
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        await peer.request()
        length = b"transfer-encoding: chunked" if self.chunked else b"content-length: %d" % self.size
        await peer.send(OK + length + b"\r\n\r\n")
        while self.sent < self.size:
            await peer.send(b"10000\r\n%s\r\n" % PATTERN if self.chunked else PATTERN)
            self.sent += len(PATTERN)
        if self.chunked:
            await peer.send(b"0\r\n\r\n")
        await peer.left()


async def stalled(flood: Flood, response: Response) -> bool:
    """Whether the sender stops while nobody reads, with a bounded buffer on our side."""
    before = -1
    while before < flood.sent < flood.size:
        before = flood.sent
        await asyncio.sleep(0.1)  # a loaded machine may take it for stalled too early: the bounds hold all the same
    assert response._buffered < BOUND_BYTES
    return flood.sent < flood.size


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_a_reader_that_rests_stops_the_sender_and_goes_on(
    start: Start, chunked: bool, secure: bool, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    flood = Flood(chunked=chunked)
    server, client = await start(flood, server_tls=server_tls if secure else None, tls=trusting)
    response = await client.open()
    received, rests = 0, 0
    assert await stalled(flood, response)
    while part := await response.read_some():
        assert part[:1] == PATTERN[received % len(PATTERN) :][:1]
        received += len(part)
        assert len(part) < BOUND_BYTES
        if received > 8 * MIB * (rests + 1) and rests < 1:
            rests += 1
            await stalled(flood, response)  # or not: by now the kernel may hold more than the rest
    assert (received, rests) == (Flood.size, 1)
    assert response.complete
    assert not server.peers[0].gone.is_set()
    # The connection reads again: it notices that it is closed, or serves the next request.
    assert await soon(lambda: len(client.pool._idle[client.origin]) == 1)


async def test_a_large_body_is_read_whole(start: Start) -> None:
    _, client = await start(Flood(chunked=True))
    assert await client.ask() == PATTERN * (Flood.size // len(PATTERN))


async def test_a_body_that_is_too_large_ends_the_connection(start: Start) -> None:
    flood = Flood(chunked=True)
    server, client = await start(flood)
    response = await client.open()
    with pytest.raises(BodyTooLarge):
        await response.read(MIB)
    assert await soon(lambda: server.peers[0].gone.is_set() or server.peers[0].writer.is_closing())
    assert flood.sent < flood.size


async def test_closing_while_the_sender_is_stopped_ends_the_connection(start: Start) -> None:
    flood = Flood(chunked=False)
    server, client = await start(flood)
    response = await client.open()
    assert await stalled(flood, response)
    response.close()
    assert await soon(lambda: server.peers[0].writer.is_closing() or server.peers[0].reader.at_eof())
    with pytest.raises(ConnectionLost):
        await response.read()


async def test_a_large_request_is_sent_whole(start: Start) -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        assert request is not None
        await peer.send(answer(b"%d" % len(request.partition(b"\r\n\r\n")[2])))

    _, client = await start(script)
    assert await client.ask(b"a" * 10 * MIB) == b"%d" % (10 * MIB)


@pytest.mark.parametrize("secure", [False, True])
async def test_an_answer_may_come_before_the_request_was_read(
    start: Start, secure: bool, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined] # the rest stays in the sockets' buffers
        await peer.send(answer(b"too large", status=413))
        await read.wait()
        peer.reader._transport.resume_reading()  # type: ignore[attr-defined] # to notice that the client left
        await peer.left()

    read = asyncio.Event()
    server, client = await start(script, server_tls=server_tls if secure else None, tls=trusting)
    response = await client.open(b"a" * 32 * MIB)
    assert (response.status, await response.read()) == (413, b"too large")
    if not secure:  # below TLS nobody can see what the socket has not taken yet
        assert not client.pool._idle[client.origin]
    read.set()
    assert await soon(lambda: server.peers[0].gone.is_set() is not secure)


async def test_a_server_that_answers_early_and_drains_keeps_the_connection(start: Start) -> None:
    async def script(peer: Peer) -> None:
        while (head := await peer.head()) is not None:
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            await peer.send(OK + b"content-length: 2\r\n\r\n1")
            await peer.reader.readexactly(length)
            await peer.send(b"2")

    server, client = await start(script)
    assert [await client.ask(b"a" * 4 * MIB) for _ in range(3)] == [b"12"] * 3
    assert len(server.peers) == 1


async def test_an_early_answer_whose_server_then_breaks_off_is_whole_or_lost(start: Start) -> None:
    """The reset that follows unread data may overtake the answer: TCP is so, but nothing else may come of it."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer(b"too large", status=413))
        peer.close()

    _, client = await start(script)
    for _ in range(20):
        try:
            assert await client.ask(b"a" * 4 * MIB) == b"too large"
        except ConnectionLost:
            continue
