"""The server that is told to stop: whatever a client has sent, or is about to send, is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config

from api.draining_server import DrainingServer
from api.http_protocol import GatewayProtocol

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Client:
    """A connection whose first steps never wait for the server: all of them happen before the loop turns again."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=5)

    def send(self, data: bytes = GET) -> None:
        self.connection.sendall(data)

    async def read(self, *, until: bytes | None = None) -> bytes:
        """What is answered, until it ends with `until`, or else until the connection ends."""
        answer = b""
        async with asyncio.timeout(5):
            self.connection.setblocking(False)
            while until is None or not answer.endswith(until):
                part = await asyncio.get_running_loop().sock_recv(self.connection, 65536)
                if not part:
                    break
                answer += part
        return answer


class Stopping:
    def __init__(self) -> None:
        self.release = asyncio.Event()
        config = Config(
            self._application,
            port=0,
            http=GatewayProtocol,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        self.server = DrainingServer(config)
        self._clients: list[Client] = []

    async def start(self) -> None:
        self.server.config.load()
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)
        await self.server.startup()

    @property
    def port(self) -> int:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    def client(self) -> Client:
        self._clients.append(Client(self.port))
        return self._clients[-1]

    def stop(self) -> asyncio.Task[float]:
        """Begins at once with what it does before it first waits; the seconds that it took."""
        return asyncio.create_task(self._stop())

    async def _stop(self) -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await self.server.shutdown()
        return loop.time() - began_s

    def end(self) -> None:
        for client in self._clients:
            client.connection.close()

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await self.release.wait()
        await send({"type": "http.response.body", "body": b"whole"})


@pytest.fixture
async def stopping() -> AsyncIterator[Stopping]:
    stopping = Stopping()
    await stopping.start()
    yield stopping
    async with asyncio.timeout(10):
        await stopping.server.shutdown()
    stopping.end()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections linger so long that a busy machine cannot be too slow for them."""
    monkeypatch.setattr("api.http_protocol._LINGER_S", 4.0)


def assert_answered_for_good(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    assert b"\r\nconnection: close" in head
    assert body.endswith(b"whole\r\n" + LAST_CHUNK)


async def test_what_waits_to_be_accepted_is_answered(stopping: Stopping) -> None:
    waiting = [stopping.client() for _ in range(50)]
    for client in waiting:
        client.send()
    # The loop has not turned since: the kernel alone knows of these connections.
    await stopping.server.shutdown()
    for client in waiting:
        assert_answered_for_good(await client.read())


@pytest.mark.usefixtures("patient")
async def test_a_connection_that_waits_and_has_yet_to_ask_is_served(stopping: Stopping) -> None:
    late = stopping.client()
    end = stopping.stop()
    await asyncio.sleep(0.1)
    late.send()
    assert_answered_for_good(await late.read())
    await end


async def kept(stopping: Stopping) -> Client:
    client = stopping.client()
    client.send()
    answer = await client.read(until=LAST_CHUNK)
    assert b"connection: close" not in answer
    return client


async def test_a_request_that_lies_unread_is_answered(stopping: Stopping) -> None:
    client = await kept(stopping)
    client.send()
    await stopping.server.shutdown()
    assert_answered_for_good(await client.read())


@pytest.mark.usefixtures("patient")
async def test_a_kept_connection_may_be_used_once_more(stopping: Stopping) -> None:
    client = await kept(stopping)
    end = stopping.stop()
    await asyncio.sleep(0.1)
    client.send()
    assert_answered_for_good(await client.read())
    await end


async def test_a_request_that_has_begun_to_arrive_may_take_longer(stopping: Stopping) -> None:
    client = await kept(stopping)
    client.send(GET[:10])
    end = stopping.stop()
    await asyncio.sleep(0.8)
    client.send(GET[10:])
    assert_answered_for_good(await client.read())
    await end


async def test_after_a_stream_that_had_begun_the_connection_may_be_used_once_more(stopping: Stopping) -> None:
    client = stopping.client()
    client.send(GET.replace(b"/", b"/stream", 1))
    assert (await client.read(until=b"begun\r\n")).startswith(b"HTTP/1.1 200 ")
    end = stopping.stop()
    await asyncio.sleep(0.8)  # longer than a connection without a request is kept
    stopping.release.set()
    assert (await client.read(until=LAST_CHUNK)).endswith(b"whole\r\n" + LAST_CHUNK)
    client.send()
    assert_answered_for_good(await client.read())
    await end


async def test_connections_that_nobody_uses_are_closed_soon(stopping: Stopping) -> None:
    used, silent = await kept(stopping), stopping.client()
    took_s = await stopping.stop()
    assert 0.4 < took_s < 2
    assert await used.read() == b""
    assert await silent.read() == b""


@pytest.mark.usefixtures("patient")
async def test_without_connections_it_stops_at_once_and_refuses_new_ones(stopping: Stopping) -> None:
    port = stopping.port
    assert await stopping.stop() < 2
    with pytest.raises(ConnectionRefusedError):
        Client(port)


async def test_who_went_away_while_waiting_holds_nobody_up(stopping: Stopping) -> None:
    gone, waiting = stopping.client(), stopping.client()
    gone.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # ends with a reset
    gone.connection.close()
    waiting.send()
    await stopping.server.shutdown()
    assert_answered_for_good(await waiting.read())
