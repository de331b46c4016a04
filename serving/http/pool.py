"""Connections to engines, kept open between requests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from serving.http.connection import Connection, Response
from serving.http.errors import ConnectFailed, ConnectionLost

# Below the 5 s after which uvicorn, so vLLM, closes an idle connection: a request sent just then would be lost.
_IDLE_S = 4.0


@dataclass(frozen=True, slots=True)
class Origin:
    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an http or https URL. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http(s) URL")
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls)

    @property
    def authority(self) -> str:
        """For the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class ConnectionPool:
    """Belongs to one event loop. Unbounded: admission bounds how many requests there are."""

    def __init__(self, *, connect_timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: None verifies certificates against the system's authorities."""
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls
        self._idle: dict[Origin, deque[Connection]] = {}
        self._closed = False

    async def request(self, origin: Origin, head: bytes, body: bytes) -> Response:
        """Send one request and return when the answer's status and headers are there.

        A kept connection that the server closed just as it was picked is replaced once, as long as nothing was
        answered on it. Raises HttpError, and TimeoutError when connecting takes too long.
        """
        connection = self._kept(origin)
        if connection is not None:
            try:
                return await _answered(connection.request(head, body))
            except ConnectionLost as error:
                if error.answered:
                    raise
        connection = await self._connect(origin)
        return await _answered(connection.request(head, body))

    async def aclose(self) -> None:
        """Close what is idle; connections in use end with their responses."""
        self._closed = True
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Connection | None:
        """The connection used last, so that those that are not needed grow old and go."""
        idle = self._idle.get(origin)
        now_s = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now_s - connection.idle_since_s < _IDLE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(origin, deque())

        def keep(connection: Connection) -> None:
            connection.idle_since_s = now_s = loop.time()
            while idle and (not idle[0].usable or now_s - idle[0].idle_since_s >= _IDLE_S):
                idle.popleft().abort()
            if self._closed:
                connection.abort()
            else:
                idle.append(connection)

        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, on_idle=keep),
                    origin.host,
                    origin.port,
                    ssl=self._context() if origin.tls else None,
                )
        except TimeoutError:
            raise
        except (OSError, ssl.SSLError) as error:
            raise ConnectFailed(f"cannot connect: {error}") from error
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


async def _answered(response: Response) -> Response:
    try:
        await response.head()
    except BaseException:
        response.close()
        raise
    return response
