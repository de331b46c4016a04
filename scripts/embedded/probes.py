"""Does a service answer? Each probe takes about a second at most and never raises."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable

import psycopg

from api.database.revisions import READ_REVISION, SchemaState, not_current_reason, state_of

_TIMEOUT_S = 1.0


def http_status(*, host: str, port: int, path: str) -> tuple[int, str]:
    """Status and body of `GET path`; status 0 and the reason when there is no answer."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(64_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()


def answers_http(*, host: str, port: int, path: str) -> bool:
    return http_status(host=host, port=port, path=path)[0] == http.HTTPStatus.OK


def first_not_ready(addresses: Iterable[tuple[str, int]]) -> str:
    """`not_ready_reason` of the first gateway that is not ready; empty when all are."""
    return next(filter(None, (not_ready_reason(host=host, port=port) for host, port in addresses)), "")


def not_ready_reason(*, host: str, port: int) -> str:
    """Empty when `/readyz` is 200, else what it says on one line."""
    status, body = http_status(host=host, port=port, path="/readyz")
    if status == http.HTTPStatus.OK:
        return ""
    if status == 0:
        return f"no answer on port {port}: {body}"
    try:
        return f"/readyz answers {status}: {json.dumps(json.loads(body))}"
    except ValueError:
        return f"/readyz answers {status}: {' '.join(body.split())[:300]}"


def answers_redis(*, port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            # Two lines: while it loads its data Redis takes the password and answers -LOADING to the ping.
            while answer.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def missing_schema(url: str) -> str:
    """What is wrong with the database's schema as long as a gateway is going to put it right; else empty."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
            row = connection.execute(READ_REVISION).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    except psycopg.Error:
        return ""  # it is away: gateways serve without it
    revision = None if row is None else str(row[0])
    return not_current_reason(revision) if state_of(revision) is SchemaState.OLDER else ""


def answers_postgres(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()  # the least that libpq allows
    except psycopg.Error:
        return False
    return True
