from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from serving.http.pool import ConnectionPool, Origin
from serving.http.response import Response
from tests.integration.serving.http.raw_server import RawServer, Script

# Generous, so that only a test which wants a time-out meets one, on a loaded machine too.
PATIENT_S = 20.0


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - pytest-asyncio passes it
    item: pytest.Item,  # noqa: ARG001 - idem
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test runs on both: the gateway's workers have uvloop, tools and tests often do not."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
async def patience() -> AsyncIterator[None]:
    """No test hangs, and none leaves an error to the loop's own handler."""
    loop, unhandled = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    yield
    assert unhandled == []


class Client:
    """A pool with requests as short as a test wants them."""

    def __init__(self, pool: ConnectionPool, origin: Origin) -> None:
        self.pool = pool
        self.origin = origin
        self._opened: list[Response] = []

    async def open(self, body: bytes = b"") -> Response:
        head = f"POST /v1 HTTP/1.1\r\nhost: {self.origin.authority}\r\ncontent-length: {len(body)}\r\n\r\n"
        async with asyncio.timeout(PATIENT_S):
            response = await self.pool.request(self.origin, head.encode(), body)
        self._opened.append(response)
        return response

    async def ask(self, body: bytes = b"") -> bytes:
        response = await self.open(body)
        try:
            async with asyncio.timeout(PATIENT_S):
                return await response.read()
        finally:
            response.close()

    async def aclose(self) -> None:
        """Also what a failed test left open: uvloop does not end with a paused connection."""
        for response in self._opened:
            response.close()
        await self.pool.aclose()


Start = Callable[..., Awaitable[tuple[RawServer, Client]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(script, host=…, server_tls=…, **pool_options)`: a server, and a client for it."""
    async with AsyncExitStack() as held:

        async def begin(
            script: Script, *, host: str = "127.0.0.1", server_tls: ssl.SSLContext | None = None, **options: Any
        ) -> tuple[RawServer, Client]:
            server = await held.enter_async_context(RawServer(script).running(host, server_tls))
            client = Client(ConnectionPool(**{"connect_timeout_s": PATIENT_S, **options}), server.origin)
            held.push_async_callback(client.aclose)
            return server, client

        yield begin


async def soon(holds: Callable[[], bool]) -> bool:
    """Whether it comes true before patience ends."""
    end = asyncio.get_running_loop().time() + PATIENT_S
    while not holds() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - sockets set no event
        await asyncio.sleep(0.002)
    return holds()


def open_sockets() -> int:
    """Sockets of this process, of any kind."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            count += str(entry.readlink()).startswith("socket:")
        except OSError:  # the one that the listing itself used
            continue
    return count


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for localhost and 127.0.0.1, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    chain, key = directory / "chain.pem", directory / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=engine"]
    files = ["-keyout", str(key), "-out", str(chain)]
    command = ["openssl", "req", "-x509", *new, "-addext", names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """A client's context that trusts the server's certificate alone."""
    return ssl.create_default_context(cafile=str(certificate[0]))
