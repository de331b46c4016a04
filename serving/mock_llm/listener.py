"""Runs the engine and its two HTTP listeners in one event loop, until a signal or a failure ends them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import uvicorn

from serving.mock_llm.exchange import TransportProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from serving.mock_llm.admin import AdminServer
    from serving.mock_llm.engine import Engine
    from serving.mock_llm.server import MockServer


class _Listener(uvicorn.Server):
    """Leaves signals to `run`, for two servers in one process would take them from each other."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def run(
    *,
    engine: Engine,
    server: MockServer,
    admin: AdminServer | None,
    sockets: tuple[socket.socket, socket.socket | None],
    shutdown_timeout_s: int,
) -> None:
    """Serve on bound sockets. SIGTERM and SIGINT let replies finish for up to `shutdown_timeout_s`, then cut them off.

    Raises whatever stopped the engine, if that is why it ends.
    """
    listeners = [(listener(server, shutdown_timeout_s), sockets[0])]
    if admin is not None and sockets[1] is not None:
        listeners.append((listener(admin, shutdown_timeout_s), sockets[1]))

    def stop(*_: object) -> None:
        for one, _socket in listeners:
            one.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    stepping = asyncio.create_task(engine.run())
    stepping.add_done_callback(stop)
    try:
        await asyncio.gather(*(one.serve(sockets=[bound]) for one, bound in listeners))
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        stepping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stepping


def listener(application: MockServer | AdminServer, shutdown_timeout_s: int) -> uvicorn.Server:
    """A server for one of the two applications that leaves signals to whoever runs it."""
    config = uvicorn.Config(
        application,
        http=TransportProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=shutdown_timeout_s,
    )
    return _Listener(config)
