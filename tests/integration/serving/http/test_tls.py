"""TLS with a self-made certificate for localhost and 127.0.0.1."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from serving.http.errors import ConnectFailed, ConnectionLost
from serving.http.pool import ConnectionPool, Origin
from tests.integration.serving.http.conftest import PATIENT_S, Client, Start, soon
from tests.integration.serving.http.raw_server import OK, Peer, answer, echo


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_verified_connection_is_kept(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext, host: str
) -> None:
    server, client = await start(echo, host=host, server_tls=server_tls, tls=trusting)
    for body in (b"one", b"two" * 1_000_000, b""):
        assert await client.ask(body) == body
    assert len(server.peers) == 1


async def test_many_at_once(start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    _, client = await start(echo, server_tls=server_tls, tls=trusting)
    bodies = [b"%d" % number for number in range(50)]
    assert await asyncio.gather(*(client.ask(body) for body in bodies)) == bodies


async def test_an_unknown_authority_is_refused(start: Start, server_tls: ssl.SSLContext) -> None:
    server, client = await start(echo, server_tls=server_tls)
    with pytest.raises(ConnectFailed, match="certificate verify failed"):
        await client.ask(b"secret")
    assert server.requests == 0


async def test_another_hosts_certificate_is_refused(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    server, _ = await start(echo, host="::1", server_tls=server_tls)
    client = Client(ConnectionPool(connect_timeout_s=PATIENT_S, tls=trusting), server.origin)
    with pytest.raises(ConnectFailed, match="certificate verify failed"):
        await client.ask(b"secret")
    assert server.requests == 0


async def test_a_server_without_tls_is_refused(start: Start, trusting: ssl.SSLContext) -> None:
    server, _ = await start(echo)
    client = Client(ConnectionPool(connect_timeout_s=PATIENT_S, tls=trusting), Origin("127.0.0.1", 0, True))
    client.origin = Origin("127.0.0.1", server.origin.port, True)

    async def plain(peer: Peer) -> None:
        await peer.send(answer())

    server.script = plain
    with pytest.raises(ConnectFailed, match="cannot connect"):
        await client.ask()


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_truncated_body_is_never_whole(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext, how: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"content-length: 10\r\n\r\nhalf")
        await go_on.wait()
        getattr(peer.writer.transport, how)()

    go_on = asyncio.Event()
    _, client = await start(script, server_tls=server_tls, tls=trusting)
    response = await client.open()
    assert await response.read_some() == b"half"
    go_on.set()
    with pytest.raises(ConnectionLost):
        await response.read()


async def test_a_body_may_end_with_its_connection(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nall")
        peer.close()

    _, client = await start(script, server_tls=server_tls, tls=trusting)
    assert await client.ask() == b"all"


async def test_a_kept_connection_that_the_server_closed_is_replaced(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"%d" % peer.number))
        if peer.number == 1:
            await peer.request()
        peer.close()

    server, client = await start(script, server_tls=server_tls, tls=trusting)
    assert [await client.ask() for _ in range(3)] == [b"1", b"2", b"3"]
    assert server.peers[0].requests == 2


async def test_closing_a_response_ends_its_connection(
    start: Start, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"content-length: 10\r\n\r\nhalf")
        await peer.left()

    server, client = await start(script, server_tls=server_tls, tls=trusting)
    response = await client.open()
    response.close()
    assert await soon(server.peers[0].gone.is_set)
    with pytest.raises(ConnectionLost):
        await response.read()
