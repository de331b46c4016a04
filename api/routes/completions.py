"""`/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`: plain ASGI, because every call comes through here."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from api.answer_headers import answer_headers
from api.call import Call
from api.connection import ClientConnection, ClientGone
from api.errors import ApiError, Overloaded, as_api_error
from api.middleware.content_type import JSON, check_content_type
from api.middleware.headers import single_header
from api.pipeline import Pipeline
from api.respond import send_error, send_json
from api.schemas.conform import WHOLE
from api.stages.account import Accounting
from api.stages.admit import wire_headers
from api.stages.authenticate import bearer_token
from api.streaming import EventWriter
from resilience.deadline import Deadline
from serving.errors import BackendError
from serving.types import Endpoint, Reply, StreamReply, WholeReply

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
# A client that has stopped reading must not keep its connection's task alive for an error that it will not see.
_LAST_WORDS_S = 2.0


class CompletionEndpoint:
    def __init__(self, endpoint: Endpoint, *, pipeline: Pipeline, accounting: Accounting, timeout_s: float) -> None:
        """`timeout_s`: from the first byte of the request to the last of the answer, however slow either side is."""
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._pipeline = pipeline
        self._accounting = accounting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ClientConnection(receive) as client:
            call = Call(
                endpoint=self._endpoint,
                request_id=scope["state"]["request_id"],
                arrived_s=time.monotonic(),
                token=None,
                read_body=client.read_body,
                headers=scope["headers"],
            )
            scope["state"]["call"] = call
            response = _Response(call, self._accounting, send)
            try:
                await self._serve(scope, call, response, client)
            except ClientGone:
                pass
            except asyncio.CancelledError:
                if not client.gone:
                    await response.refuse(Overloaded("the gateway is shutting down, try again"))
                    raise
                _end_cancellation()
            except Exception as error:
                if not isinstance(error, ApiError | BackendError):
                    logger.exception("unhandled error")
                await response.refuse(as_api_error(error))
            finally:
                self._accounting.observe(call)

    async def _serve(self, scope: Scope, call: Call, response: _Response, client: ClientConnection) -> None:
        reply: Reply | None = None
        try:
            call.deadline_s = asyncio.get_running_loop().time() + self._timeout_s
            with Deadline(call.deadline_s):
                call.token = bearer_token(single_header(scope, b"authorization"))
                check_content_type(scope, JSON)
                reply = await self._pipeline.serve(call)
                await response.write(reply)
        except asyncio.CancelledError:
            call.outcome = "cancelled" if client.gone else "shutdown"
            raise
        except Exception as error:
            call.outcome = "cancelled" if isinstance(error, ClientGone) else as_api_error(error).outcome
            if reply is not None and not client.gone:
                await self._accounting.keep(call)  # before the client hears of its end
            raise
        finally:
            if reply is not None:
                reply.close()


class _Response:
    """The one response of a call, whole or streamed; an error takes the form that is still possible."""

    def __init__(self, call: Call, accounting: Accounting, send: Send) -> None:
        self._call = call
        self._accounting = accounting
        self._send = send
        self._events: EventWriter | None = None
        self._answered = False

    async def write(self, reply: Reply) -> None:
        headers = answer_headers(self._call, reply)
        if isinstance(reply, StreamReply):
            self._events = EventWriter(self._call, self._accounting, self._send, headers)
            await self._events.write(reply)
        elif isinstance(reply, WholeReply):
            await self._accounting.keep(self._call)
            headers += self._accounting.cost_header(self._call)
            body = _encode(WHOLE[self._call.endpoint](reply.body, self._call.public_model))
            self._answered = True
            await send_json(self._send, 200, body, headers)

    async def refuse(self, error: ApiError) -> None:
        if self._events is not None and self._events.started:
            with suppress(TimeoutError), Deadline(asyncio.get_running_loop().time() + _LAST_WORDS_S):
                await self._events.fail(error)
        elif not self._answered:
            self._answered = True
            limits = [] if self._call.limits is None or error.status == 429 else wire_headers(self._call.limits)
            error.headers = [*error.headers, *limits]
            await send_error(self._send, error)


def _end_cancellation() -> None:
    """The client is gone and everything is released: the task ends in peace."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()


def completion_endpoints(pipeline: Pipeline, accounting: Accounting, *, timeout_s: float) -> dict[str, ASGIApp]:
    """Path -> endpoint, for POST."""
    return {
        f"/v1/{endpoint.value}": CompletionEndpoint(
            endpoint, pipeline=pipeline, accounting=accounting, timeout_s=timeout_s
        )
        for endpoint in Endpoint
    }
