"""Free TCP ports on loopback for services whose port nobody chose."""

from __future__ import annotations

import random
import socket

# Below the range from which kernels take the ports of outgoing connections (32768 on Linux, 49152 elsewhere): inside
# it a client that reconnects to a dead server's port can be given that port, reach itself, and keep the server out.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200


class NoFreePortError(RuntimeError):
    """No port between 20000 and 32000 could be bound."""


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # As servers do: connections of a server that ended a moment ago do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1)
        except OSError:
            return False
    return True


def free_port(*, host: str = "127.0.0.1", avoid: frozenset[int] = frozenset()) -> int:
    """A port that nobody listens on now and that is not in `avoid`. Raises NoFreePortError."""
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)  # noqa: S311  # not a secret: only has to differ from the neighbours'
        if port not in avoid and is_free(port, host=host):
            return port
    raise NoFreePortError(f"No free port between {_FIRST} and {_LAST} on {host} was found in {_TRIES} tries.")


def free_block(length: int, *, host: str = "127.0.0.1", avoid: frozenset[int] = frozenset()) -> int:
    """The first of `length` ports in a row that are all as `free_port` gives them. Raises NoFreePortError."""
    for _ in range(_TRIES):
        first = random.randint(_FIRST, _LAST - length + 1)  # noqa: S311  # as above
        if all(port not in avoid and is_free(port, host=host) for port in range(first, first + length)):
            return first
    raise NoFreePortError(f"No {length} free ports in a row between {_FIRST} and {_LAST} on {host} were found.")
