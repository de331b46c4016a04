"""What clients and gateway say to each other over a WebSocket, in JSON: docs/reference/websocket.md."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.errors import ApiError, Headers, InvalidRequest
from api.middleware.request_id import is_request_id

# Those that say something about one request; all others are said once, when the connection is opened.
REQUEST_HEADERS = ("cache-control", "x-cache-sampled", "x-corpus-version", "x-priority", "x-session-id")
_SHAPE = 'a message must be {"type": "request", "body": {…}} or {"type": "cancel", "request_id": "…"}'
_encode = msgspec.json.Encoder().encode


class ClientMessage(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["request", "cancel"]
    request_id: str | None = None
    body: msgspec.Raw = msgspec.Raw()
    """What would be the body over HTTP, not looked into yet."""
    headers: dict[str, str] | None = None
    """What the headers of REQUEST_HEADERS would be over HTTP."""

    def request_headers(self) -> Headers:
        """Names in lower case."""
        given = self.headers or {}
        return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in given.items()]


_decode = msgspec.json.Decoder(ClientMessage).decode


def parse_message(text: str) -> ClientMessage:
    """Raises InvalidRequest."""
    try:
        message = _decode(text)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{_SHAPE}: {error}", param="message", code="invalid_value") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"the message is not valid JSON: {error}", param="message", code="invalid_json") from error
    if message.request_id is not None and not is_request_id(message.request_id):
        text = "request_id must be 1 to 128 letters, digits or any of . _ : / + = @ -"
        raise InvalidRequest(text, param="request_id", code="invalid_value")
    for name, value in (message.headers or {}).items():
        _check_header(name, value)
    if message.type == "request" and not bytes(message.body):
        raise InvalidRequest("Missing required parameter: 'body'.", param="body", code="missing_required_parameter")
    if message.type == "cancel" and message.request_id is None:
        text = "Missing required parameter: 'request_id'."
        raise InvalidRequest(text, param="request_id", code="missing_required_parameter")
    return message


def _check_header(name: str, value: str) -> None:
    """Raises InvalidRequest."""
    if name.lower() not in REQUEST_HEADERS:
        text = f"headers may hold {', '.join(REQUEST_HEADERS)}: the connection's own headers say the rest"
        raise InvalidRequest(text, param="headers", code="invalid_value")
    if not (value.isascii() and value.isprintable()):
        text = f"headers.{name.lower()} must be printable ASCII characters"
        raise InvalidRequest(text, param=f"headers.{name.lower()}", code="invalid_value")


class Events:
    """The events of one request. Each carries its id; exactly one of `done`, `cancelled` and `error` is the last."""

    def __init__(self, request_id: str | None) -> None:
        """`request_id`: None of a message from which none could be read. It holds nothing that JSON escapes."""
        self._head = f',"request_id":"{request_id}"' if request_id is not None else ',"request_id":null'
        self._data_head = f'{{"type":"data"{self._head},"data":'

    def started(self, headers: Headers) -> str:
        return f'{{"type":"started"{self._head},"headers":{_object(headers)}}}'

    def data(self, payload: bytes) -> str:
        """`payload`: a chunk or a whole answer in JSON."""
        return f"{self._data_head}{payload.decode()}}}"

    def done(self) -> str:
        return f'{{"type":"done"{self._head}}}'

    def cancelled(self) -> str:
        return f'{{"type":"cancelled"{self._head}}}'

    def error(self, error: ApiError, headers: Headers) -> str:
        """`headers`: what the error's own did not say."""
        detail = _encode(error.body()["error"]).decode()
        told = _object([*error.headers, *headers])
        return f'{{"type":"error"{self._head},"status":{error.status},"error":{detail},"headers":{told}}}'


def _object(headers: Headers) -> str:
    return _encode({name.decode(): value.decode("latin-1") for name, value in headers}).decode()
