"""Connections to engines, kept open between requests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from serving.http.connection import Connection
from serving.http.errors import ConnectFailed, ConnectionLost
from serving.http.response import Response

# Below the 5 s after which uvicorn, so vLLM, closes an idle connection: a request sent just then would be lost.
_KEEP_IDLE_S = 4.0


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
        host = parts.hostname.encode("idna").decode()  # bücher.example is xn--bcher-kva.example to DNS and in `Host`
        return cls(host, parts.port or (443 if tls else 80), tls)

    @property
    def authority(self) -> str:
        """For the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class ConnectionPool:
    """Belongs to one event loop. Unbounded: admission bounds how many requests there are."""

    def __init__(
        self, *, connect_timeout_s: float, keep_idle_s: float = _KEEP_IDLE_S, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: None verifies certificates against the system's authorities."""
        self._connect_timeout_s = connect_timeout_s
        self._keep_idle_s = keep_idle_s
        self._tls = tls
        self._idle: dict[Origin, deque[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self, origin: Origin, head: bytes, body: bytes, *, connect_timeout_s: float | None = None
    ) -> Response:
        """Send one request and return when the answer's status and headers are there.

        A kept connection that the server closed just as it was picked is replaced once, as long as nothing was
        answered on it. `connect_timeout_s`: None takes the pool's.
        Raises HttpError, and TimeoutError when connecting takes too long.
        """
        connection = self._kept(origin)
        if connection is not None:
            try:
                return await _answered(connection.request(head, body))
            except ConnectionLost as error:
                if error.answered:
                    raise
        connection = await self._connect(origin, connect_timeout_s or self._connect_timeout_s)
        return await _answered(connection.request(head, body))

    async def aclose(self) -> None:
        """Close what is idle; connections in use are closed when their responses end."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for idle in self._idle.values():
            while idle:
                idle.pop().abort()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn, which may be its last

    def _kept(self, origin: Origin) -> Connection | None:
        """The connection used last, so that those that are not needed grow old and go."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        oldest_s = asyncio.get_running_loop().time() - self._keep_idle_s
        while idle:
            connection = idle.pop()
            if connection.usable and connection.idle_since_s > oldest_s:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(origin, deque())

        def keep(connection: Connection) -> None:
            if self._closed:
                connection.abort()
                return
            connection.idle_since_s = loop.time()
            idle.append(connection)
            if self._sweep is None:
                self._sweep = loop.call_later(self._keep_idle_s, self._close_old, loop)

        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, on_idle=keep),
                    origin.host,
                    origin.port,
                    ssl=self._context() if origin.tls else None,
                )
        except TimeoutError as error:
            raise TimeoutError(f"no connection to {origin.authority} in {timeout_s} s") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: the resolver's, of a name that cannot be one
            raise ConnectFailed(f"cannot connect to {origin.authority}: {error}") from error
        return connection

    def _close_old(self, loop: asyncio.AbstractEventLoop) -> None:
        """Servers close idle connections by themselves, but not all do; and what they closed need not be kept."""
        oldest_s = loop.time() - self._keep_idle_s
        for idle in self._idle.values():
            while idle and idle[0].idle_since_s <= oldest_s:
                idle.popleft().abort()
        left = [idle[0].idle_since_s for idle in self._idle.values() if idle]
        self._sweep = loop.call_at(min(left) + self._keep_idle_s, self._close_old, loop) if left else None

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
