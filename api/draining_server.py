"""Uvicorn's server with a stop that costs no request which a client, or a proxy, has already sent."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import uvicorn
from uvicorn.config import Config

from api.http_protocol import StoppableState

_logger = logging.getLogger("uvicorn.error")


class DrainingServer(uvicorn.Server):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.server_state: StoppableState = StoppableState()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, serve what was connected by then, and return when all connections have ended.

        The kernel accepts connections before this process does, and resets those that are still in its queue when the
        last listening socket closes. Their requests may have been sent: a proxy does not repeat a POST.
        """
        self.server_state.stopping = True
        accepted = [connection for server in self.servers for connection in _accept_waiting(server)]
        for server in self.servers:
            server.close()
        for connection in accepted:
            await self._serve_connection(connection)
        await super().shutdown(sockets)

    async def _serve_connection(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._create_protocol, connection, ssl=self.config.ssl)
        except OSError as error:  # the client is gone again
            connection.close()
            _logger.info("A connection ended before it was served: %s", error)

    def _create_protocol(self) -> asyncio.Protocol:
        create = self.config.http_protocol_class
        protocol: asyncio.Protocol = create(self.config, self.server_state, self.lifespan.state)  # type: ignore[call-arg]
        return protocol


def _accept_waiting(server: asyncio.Server) -> list[socket.socket]:
    """The connections in the kernel's queue of a server that is about to close."""
    accepted: list[socket.socket] = []
    for listener in server.sockets:
        # The loop's own object refuses to be read.
        with socket.socket(listener.family, listener.type, listener.proto, os.dup(listener.fileno())) as waiting:
            waiting.setblocking(False)
            while (connection := _accept(waiting)) is not None:
                accepted.append(connection)
    return accepted


def _accept(listener: socket.socket) -> socket.socket | None:
    """The next connection of a queue, or None at its end."""
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return None
        except ConnectionAbortedError:
            continue  # reset while it waited
        except OSError as error:
            _logger.warning("Connections that wait cannot be accepted: %s", error)
            return None
        connection.setblocking(False)
        return connection
