"""Whether the addresses of Redis and Postgres can be used, said at start in a sentence that never holds the address."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

_REDIS_EXAMPLE = "redis://user:password@host:6379/0"
_POSTGRES_EXAMPLE = "postgresql://user:password@host:5432/database"
_ESCAPES = "special characters in user and password are written as %XX"
# Texts that the client takes as they are; it would fail on a wrong value of another option while it serves.
_REDIS_OPTIONS = frozenset(
    {
        "client_name",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_keyfile_password",
    }
)


def checked_redis_url(url: str) -> str:
    """`url` itself, which may be empty. Raises ValueError."""
    if not url:
        return url
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError(f"holds a space or a control character; {_ESCAPES}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"host or port is wrong: it must be such as {_REDIS_EXAMPLE}; {_ESCAPES}") from None
    _check_redis_parts(parts, port)
    return url


def checked_database_url(url: str) -> str:
    """`url` itself, which may be empty, in any form that libpq takes. Raises ValueError."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # libpq's own message quotes parts of the address.
        raise ValueError(f"must be such as {_POSTGRES_EXAMPLE}; {_ESCAPES}") from None
    # Several hosts and ports, separated by commas, are one server and its stand-ins.
    for host in str(parts.get("host") or "").split(","):
        if not host.startswith(("/", "@")):  # else the folder of a socket
            _check_host(host)
    for port in str(parts.get("port") or "").split(","):
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("port must be a number from 1 to 65535")
    return url


def _check_redis_parts(parts: SplitResult, port: int | None) -> None:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "unix":
        database = options.pop("db", "0")
        if not parts.path:
            raise ValueError("names no socket: it must be such as unix:///run/redis/redis.sock?db=0")
    else:
        database = options.pop("db", "") or parts.path.strip("/") or "0"
        if not parts.hostname:
            raise ValueError(f"names no host: it must be such as {_REDIS_EXAMPLE}")
        _check_host(parts.hostname)
        if port == 0:
            raise ValueError("port must be a number from 1 to 65535")
    if not (database.isascii() and database.isdigit()):
        raise ValueError(f"the database must be a number: it must be such as {_REDIS_EXAMPLE}")
    if not options.keys() <= _REDIS_OPTIONS:
        raise ValueError(f"of the options after '?' only db, {', '.join(sorted(_REDIS_OPTIONS))} can be used")


def _check_host(host: str) -> None:
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("host is not a name that a machine can have") from None
