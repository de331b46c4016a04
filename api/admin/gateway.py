"""Calls to the admin API of a gateway, and what can come of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from serving.http.pool import ConnectionPool
from serving.tools.command_line import InputError
from serving.tools.openai_client import Address, Answer, OpenAIClient, error_message

_ADMIN_API = "/admin/v1"
_ACTOR_HEADER = "X-Admin-Actor"


class Refused(Exception):
    """The gateway's answer is an error; the message is one sentence."""


class Unreachable(Exception):
    """There is no answer of a gateway; the message is one sentence."""


class AdminClient:
    def __init__(self, *, url: str, key: str, timeout_s: float, actor: str = "") -> None:
        """`url`: of the gateway, without a path or with the one that stands before `/admin`. Raises InputError.

        `actor`: who the audit log shall have it from.
        """
        address = Address.of(url, option="--url")
        above = address.root_path.rstrip("/")
        self._url = url
        self._address = Address(address.origin, f"{above}{_ADMIN_API}")
        self._key = key
        self._timeout_s = timeout_s
        # Headers are bytes, which the client takes as Latin-1.
        self._headers = {_ACTOR_HEADER: actor.encode().decode("latin-1")} if actor else {}

    async def get(self, path: str, query: Mapping[str, str | None]) -> Any:
        """`path`: below `/admin/v1`; what is None in `query` is left out. Raises Refused and Unreachable."""
        return self._decoded(await self._answer("GET", _with_query(path, query)))

    async def get_text(self, path: str, query: Mapping[str, str | None]) -> str:
        """As `get`, for what is no JSON."""
        return (await self._answer("GET", _with_query(path, query))).body.decode()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `get`."""
        return await self.send("POST", path, body)

    async def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """As `get`; what is None in `body` is left out."""
        sent = {name: value for name, value in body.items() if value is not None}
        return self._decoded(await self._answer(method, path, sent))

    async def delete(self, path: str, query: Mapping[str, str | None]) -> Any:
        """As `get`; there is no answer but None."""
        await self._answer("DELETE", _with_query(path, query))

    async def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        pool = ConnectionPool(connect_timeout_s=self._timeout_s)
        client = OpenAIClient(address=self._address, pool=pool, api_key=self._key, headers=self._headers)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await client.send(method, path, body)
        except TimeoutError as error:
            raise Unreachable(f"{self._url} has not answered within {self._timeout_s:g} s.") from error
        except OSError as error:
            raise Unreachable(f"{self._url} cannot be reached: {error}.") from error
        finally:
            await pool.aclose()
        if not 200 <= answer.status < 300:
            raise Refused(f"{self._url} answers {answer.status}: {error_message(answer.body)}")
        return answer

    def _decoded(self, answer: Answer) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise Refused(f"{self._url} is no gateway: its answer is {error}.") from error


def _with_query(path: str, query: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def key_that_headers_can_carry(key: str) -> str:
    """`key` itself. Raises InputError, which does not show it."""
    if not all("!" <= character <= "~" for character in key):
        raise InputError("the admin key holds a character that no header can carry: use ASCII letters and signs.")
    return key
