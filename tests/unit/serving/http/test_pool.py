from __future__ import annotations

import pytest

from serving.http.errors import BodyTooLarge, ConnectFailed, ConnectionLost, HttpError, MalformedResponse
from serving.http.pool import Origin

URLS = {
    "http://127.0.0.1:8090/v1": (Origin("127.0.0.1", 8090, False), "127.0.0.1:8090"),
    "http://engine": (Origin("engine", 80, False), "engine"),
    "http://engine:80/v1": (Origin("engine", 80, False), "engine"),
    "http://engine:443": (Origin("engine", 443, False), "engine:443"),
    "HTTPS://Api.Example/v1?a=b": (Origin("api.example", 443, True), "api.example"),
    "https://api.example:8443": (Origin("api.example", 8443, True), "api.example:8443"),
    "http://[::1]:8000/v1": (Origin("::1", 8000, False), "[::1]:8000"),
    "https://[2001:DB8::1]/v1": (Origin("2001:db8::1", 443, True), "[2001:db8::1]"),
    "http://my_engine_1:8000": (Origin("my_engine_1", 8000, False), "my_engine_1:8000"),
    "https://bücher.example": (Origin("xn--bcher-kva.example", 443, True), "xn--bcher-kva.example"),
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_has_an_origin(url: str) -> None:
    origin, authority = URLS[url]
    assert Origin.of(url) == origin
    assert Origin.of(url).authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "engine:8000",
        "ftp://engine",
        "http://",
        "http://:80",
        "http://engine:port",
        "http://engine:65536",
        "http://[::1",
        "http://a..b",
        f"http://{'a' * 64}",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Origin.of(url)


@pytest.mark.parametrize("kind", [HttpError, ConnectFailed, MalformedResponse, BodyTooLarge])
def test_errors_are_those_of_sockets(kind: type[HttpError]) -> None:
    assert issubclass(ConnectionLost, HttpError)
    assert isinstance(kind("why"), OSError)
    assert str(kind("why")) == "why"


def test_a_loss_tells_whether_anything_was_answered() -> None:
    for answered in (False, True):
        error = ConnectionLost("why", answered=answered)
        assert (str(error), error.answered) == ("why", answered)
