"""Which pages may open a WebSocket, and where its key comes from."""

from __future__ import annotations

from typing import Any

import pytest

from api.errors import ForeignOrigin, InvalidRequest, Unauthenticated
from api.origins import allowed_origins, checked_origins
from api.websocket_handshake import check_origin, chosen_subprotocol, offered_token


def scope(*offers: str, **headers: str) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "headers": pairs, "subprotocols": list(offers)}


@pytest.mark.parametrize(
    ("origin", "host", "setting"),
    [
        ("https://api.example.com", "api.example.com", ""),
        ("http://api.example.com:8000", "API.example.com:8000", ""),
        ("https://chat.example.com", "api.example.com", "https://a.example, https://chat.example.com/"),
        ("https://Chat.Example.com", "api.example.com", "https://chat.example.com"),
        ("https://anything.example", "api.example.com", "*"),
        ("null", "api.example.com", "*"),
    ],
)
def test_pages_that_may(origin: str, host: str, setting: str) -> None:
    check_origin(scope(origin=origin, host=host), allowed_origins(setting))


@pytest.mark.parametrize(
    ("origin", "host", "setting"),
    [
        ("https://evil.example", "api.example.com", ""),
        ("https://api.example.com:444", "api.example.com", ""),
        ("https://api.example.com.evil.example", "api.example.com", "https://api.example.com"),
        ("http://chat.example.com", "api.example.com", "https://chat.example.com"),
        ("null", "api.example.com", "https://chat.example.com"),
        ("", "", ""),
        ("api.example.com", "api.example.com", ""),
        ("https://user@api.example.com", "api.example.com", ""),
        ("http://[api.example.com", "api.example.com", ""),
        ("http://[::1", "[::1]", "https://chat.example.com"),
    ],
)
def test_pages_that_may_not(origin: str, host: str, setting: str) -> None:
    headers = {"origin": origin, "host": host} if host else {"origin": origin}
    with pytest.raises(ForeignOrigin):
        check_origin(scope(**headers), allowed_origins(setting))


def test_an_origin_without_a_host_is_not_that_of_an_empty_host_header() -> None:
    with pytest.raises(ForeignOrigin):
        check_origin(scope(origin="null", host=""), frozenset())


def test_what_is_no_browser_sends_no_origin() -> None:
    check_origin(scope(host="api.example.com"), frozenset())


def test_two_origins_are_none() -> None:
    twice = scope(host="a")
    twice["headers"] += [(b"origin", b"https://a"), (b"origin", b"https://b")]
    with pytest.raises(InvalidRequest):
        check_origin(twice, frozenset())


def test_the_key_is_in_the_header_or_among_the_subprotocols() -> None:
    assert offered_token(scope(authorization="Bearer k1")) == "k1"
    assert offered_token(scope("completions.v1", "openai-insecure-api-key.k2")) == "k2"
    assert offered_token(scope("openai-insecure-api-key.k2", authorization="Bearer k1")) == "k1"
    assert offered_token(scope("completions.v1")) is None
    with pytest.raises(Unauthenticated):
        offered_token(scope("openai-insecure-api-key.k2", authorization="Basic k1"))


def test_only_the_protocol_is_agreed_to() -> None:
    assert chosen_subprotocol(scope("openai-insecure-api-key.k", "completions.v1")) == "completions.v1"
    assert chosen_subprotocol(scope("openai-insecure-api-key.k", "other")) is None


@pytest.mark.parametrize("setting", ["chat.example.com", "ftp://a", "https://a/path", "https://", "https://a b"])
def test_a_setting_that_is_no_origin_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="must hold origins such as"):
        checked_origins(setting)
