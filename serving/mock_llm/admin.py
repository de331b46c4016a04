"""The admin application, on a listener of its own: `GET`, `PUT` and `DELETE /faults`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from serving.mock_llm.errors import ApiError, InvalidRequest, MethodNotAllowed, UnknownPath
from serving.mock_llm.exchange import ClientGone, Exchange
from serving.mock_llm.faults import FaultSet, decode_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.mock_llm.exchange import Receive, Scope, Send
    from serving.mock_llm.faults import Faults

_MAX_BODY_BYTES = 100_000


class AdminServer:
    """`exit_process` ends the process with a code, at once, when the crash switch is put."""

    def __init__(self, *, faults: Faults, exit_process: Callable[[int], object]) -> None:
        self._faults = faults
        self._exit_process = exit_process
        self._crash: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except ClientGone:
            return
        except ApiError as error:
            await exchange.respond(error.status, msgspec.json.encode(error.body()))

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.path == "/health" and exchange.method == "GET":
            await exchange.respond(200, b"")
            return
        if exchange.path != "/faults":
            raise UnknownPath(f"There is no {exchange.path!r} here; the fault switches are at /faults.")
        match exchange.method:
            case "GET":
                pass
            case "PUT":
                self._replace(await self._read(exchange))
            case "DELETE":
                self._replace(FaultSet())
            case _:
                raise MethodNotAllowed(f"/faults takes GET, PUT and DELETE, not {exchange.method}.")
        state = {"active": self._faults.active, "fired": dict(self._faults.fired)}
        await exchange.respond(200, msgspec.json.encode(state))

    async def _read(self, exchange: Exchange) -> FaultSet:
        body = await exchange.body(_MAX_BODY_BYTES)
        try:
            return decode_faults(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"These are no fault switches: {error}.") from None

    def _replace(self, faults: FaultSet) -> None:
        self._faults.replace(faults)
        if self._crash is not None:
            self._crash.cancel()
            self._crash = None
        if faults.crash:
            # A moment later even without a delay, so that the reply gets out.
            delay_s = max(faults.crash.delay_s, 0.02)
            self._crash = asyncio.get_running_loop().call_later(delay_s, self._exit_process, faults.crash.exit_code)
