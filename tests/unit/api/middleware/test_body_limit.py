from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.errors import ApiError, BodyTimeout, BodyTooLarge
from api.middleware.body_limit import BodyLimitMiddleware
from tests.unit.api.asgi import AsgiClient


class Below:
    """Reads the whole body, and after that one message more."""

    def __init__(self) -> None:
        self.body = b""
        self.error: ApiError | None = None
        self.last: Message | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, send
        more = True
        try:
            while more:
                message = await receive()
                self.body += message.get("body", b"")
                more = message.get("more_body", False)
        except ApiError as error:
            self.error = error
            return
        self.last = await receive()


async def ask(client: AsgiClient, *, max_bytes: int = 10, timeout_s: float = 10.0) -> Below:
    below = Below()
    await asyncio.wait_for(client.ask(BodyLimitMiddleware(below, max_bytes=max_bytes, timeout_s=timeout_s)), 20)
    return below


@pytest.mark.parametrize("parts", [[b""], [b"x" * 10], [b"x" * 5, b"x" * 5], [b"x"] * 10])
async def test_a_body_up_to_the_limit_passes_and_so_does_what_comes_after_it(parts: list[bytes]) -> None:
    client = AsgiClient(parts)
    client.leave()
    below = await ask(client)
    assert below.body == b"".join(parts)
    assert below.error is None
    assert below.last == {"type": "http.disconnect"}


@pytest.mark.parametrize("parts", [[b"x" * 11], [b"x" * 5, b"x" * 6], [b"x"] * 1000])
async def test_a_larger_body_is_refused_and_read_to_its_end(parts: list[bytes]) -> None:
    client = AsgiClient(parts)
    below = await ask(client)
    assert isinstance(below.error, BodyTooLarge)
    assert "10 bytes" in below.error.message
    assert (b"connection", b"close") in below.error.headers
    assert client._parts == []  # else the client could not read its answer


async def test_a_body_that_announces_too_much_is_not_waited_for() -> None:
    client = AsgiClient([b"x"], headers=[(b"content-length", b"200000000")])
    below = await ask(client)
    assert isinstance(below.error, BodyTooLarge)
    assert client._parts == [b"x"]


async def test_one_that_announces_a_little_too_much_is_read_to_its_end() -> None:
    client = AsgiClient([b"x" * 5, b"x" * 6], headers=[(b"content-length", b"11")])
    below = await ask(client)
    assert isinstance(below.error, BodyTooLarge)
    assert client._parts == []
    assert below.body == b""


async def test_a_body_without_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.middleware.body_limit._DRAINED_BYTES", 100)
    client = AsgiClient([b"x" * 10] * 1000)
    below = await ask(client)
    assert isinstance(below.error, BodyTooLarge)
    assert len(client._parts) > 900


async def test_a_client_that_stops_within_what_is_thrown_away_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.middleware.body_limit._DRAIN_S", 0.05)
    below = await ask(Stopping(b"x" * 11))
    assert isinstance(below.error, BodyTooLarge)


class Stopping(AsgiClient):
    """Announces more after its body, and sends nothing."""

    async def receive(self) -> Message:
        return {**await super().receive(), "more_body": True}


@pytest.mark.parametrize("client", [Stopping(b"half"), Stopping([])])
async def test_a_body_that_does_not_come_in_time_is_refused(client: AsgiClient) -> None:
    below = await ask(client, timeout_s=0.05)
    assert isinstance(below.error, BodyTimeout)
    assert (below.error.status, below.error.param) == (408, "body")
    assert (b"connection", b"close") in below.error.headers


async def test_the_time_is_for_the_whole_body_and_not_for_each_part() -> None:
    class Trickling(AsgiClient):
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"", "more_body": True}

    below = await ask(Trickling(), timeout_s=0.1)
    assert isinstance(below.error, BodyTimeout)
