"""What clients may say on a WebSocket, and how the gateway's events are written."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest, Overloaded
from api.websocket_messages import Events, parse_message


def test_a_request_keeps_its_body_as_it_came() -> None:
    message = parse_message('{"type":"request","request_id":"a.b:1","body":{ "x" : [1, "\\u00e9"] }}')
    assert (message.type, message.request_id) == ("request", "a.b:1")
    assert bytes(message.body) == b'{ "x" : [1, "\\u00e9"] }'


def test_a_request_needs_no_id_and_a_cancellation_does() -> None:
    assert parse_message('{"type":"request","body":{}}').request_id is None
    assert parse_message('{"type":"cancel","request_id":"a"}').request_id == "a"
    with pytest.raises(InvalidRequest, match="request_id"):
        parse_message('{"type":"cancel"}')


def test_a_request_may_say_what_headers_would_about_it_alone() -> None:
    text = '{"type":"request","body":{},"headers":{"Cache-Control":"no-store","x-corpus-version":"7"}}'
    assert parse_message(text).request_headers() == [(b"cache-control", b"no-store"), (b"x-corpus-version", b"7")]
    assert parse_message('{"type":"request","body":{}}').request_headers() == []


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ({"authorization": "Bearer x"}, "headers"),
        ({"": "x"}, "headers"),
        ({"cache-control": "caf\u00e9"}, "headers.cache-control"),
        ({"x-cache-sampled": "true\r\nx: y"}, "headers.x-cache-sampled"),
        ({"x-corpus-version": 7}, "message"),
    ],
)
def test_headers_that_cannot_be_said_so_are_refused_by_name(headers: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_message(json.dumps({"type": "request", "body": {}, "headers": headers}))
    assert refused.value.param == param


def test_the_body_of_http_by_mistake_is_told_what_a_message_is() -> None:
    with pytest.raises(InvalidRequest, match=r'must be \{"type": "request", "body"'):
        parse_message('{"messages":[]}')


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_whatever_comes_is_a_message_or_a_clear_error(text: str) -> None:
    with suppress(InvalidRequest):
        assert parse_message(text).type in ("request", "cancel")


def test_events_are_json_with_the_requests_id() -> None:
    events = Events("r-1")
    chunk: dict[str, Any] = {"choices": [{"delta": {"content": 'é "quoted"'}}]}
    assert json.loads(events.started([(b"x-served-by", b"near")])) == {
        "type": "started",
        "request_id": "r-1",
        "headers": {"x-served-by": "near"},
    }
    assert json.loads(events.data(msgspec.json.encode(chunk))) == {"type": "data", "request_id": "r-1", "data": chunk}
    assert json.loads(events.done()) == {"type": "done", "request_id": "r-1"}
    assert json.loads(events.cancelled()) == {"type": "cancelled", "request_id": "r-1"}


def test_an_error_has_what_http_would_have() -> None:
    error = Overloaded("full", retry_after_s=3)
    assert json.loads(Events(None).error(error, [(b"x-ratelimit-limit-requests", b"5")])) == {
        "type": "error",
        "request_id": None,
        "status": 503,
        "error": error.body()["error"],
        "headers": {"retry-after": "3", "x-ratelimit-limit-requests": "5"},
    }
