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


class Refused(Exception):
    """The gateway's answer is an error; the message is one sentence."""


class Unreachable(Exception):
    """There is no answer of a gateway; the message is one sentence."""


class AdminClient:
    def __init__(self, *, url: str, key: str, timeout_s: float) -> None:
        """`url`: of the gateway, without a path or with the one that stands before `/admin`. Raises InputError."""
        address = Address.of(url, option="--url")
        above = address.root_path.rstrip("/")
        self._url = url
        self._address = Address(address.origin, f"{above}{_ADMIN_API}")
        self._key = key
        self._timeout_s = timeout_s

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        """`path`: below `/admin/v1`. Raises Refused and Unreachable."""
        return await self._answered(f"{path}?{urlencode(query)}" if query else path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `get`."""
        return await self._answered(path, body)

    async def _answered(self, path: str, body: Mapping[str, Any] | None) -> Any:
        pool = ConnectionPool(connect_timeout_s=self._timeout_s)
        client = OpenAIClient(address=self._address, pool=pool, api_key=self._key)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await (client.get(path) if body is None else client.post(path, body))
        except TimeoutError as error:
            raise Unreachable(f"{self._url} has not answered within {self._timeout_s:g} s.") from error
        except OSError as error:
            raise Unreachable(f"{self._url} cannot be reached: {error}.") from error
        finally:
            await pool.aclose()
        return self._decoded(answer)

    def _decoded(self, answer: Answer) -> Any:
        if answer.status != 200:
            raise Refused(f"{self._url} answers {answer.status}: {error_message(answer.body)}")
        try:
            return answer.json()
        except ValueError as error:
            raise Refused(f"{self._url} is no gateway: its answer is {error}.") from error


def key_that_headers_can_carry(key: str) -> str:
    """`key` itself. Raises InputError, which does not show it."""
    if not all("!" <= character <= "~" for character in key):
        raise InputError("the admin key holds a character that no header can carry: use ASCII letters and signs.")
    return key
