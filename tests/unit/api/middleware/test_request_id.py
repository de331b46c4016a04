from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from api.middleware.request_id import RequestIdMiddleware
from api.respond import send_json
from observability.context import request_id
from tests.unit.api.asgi import Answer, AsgiClient


class Below:
    """The application below: notes what it was told."""

    def __init__(self) -> None:
        self.state: list[str] = []
        self.logged: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        self.state.append(scope["state"]["request_id"])
        self.logged.append(request_id.get())
        await send_json(send, 200, b"{}")


async def ask(below: Below, *ids: bytes) -> Answer:
    headers = [(b"x-request-id", value) for value in ids]
    return await AsgiClient(headers=headers, state={}).ask(RequestIdMiddleware(below))


@pytest.mark.parametrize("sent", [b"a", b"req-1.2:3/4+5=6@7_8", b"x" * 128])
async def test_the_clients_id_goes_everywhere(sent: bytes) -> None:
    below = Below()
    answer = await ask(below, sent)
    assert answer.header("x-request-id") == sent.decode()
    assert below.state == below.logged == [sent.decode()]
    assert float((answer.header("x-response-time") or "").removesuffix("ms")) >= 0


@pytest.mark.parametrize("ids", [(), (b"",)])
async def test_without_one_every_request_gets_its_own(ids: tuple[bytes, ...]) -> None:
    below = Below()
    answers = {(await ask(below, *ids)).header("x-request-id") for _ in range(50)}
    assert len(answers) == 50
    assert below.state == below.logged
    assert all(name and name.isalnum() for name in answers)


@pytest.mark.parametrize(
    "sent", [b"x" * 129, b"a b", b"a\r\nset-cookie: x", "é".encode(), b"\xff", b"<script>", b"\x00"]
)
async def test_an_id_that_could_do_harm_is_refused_and_not_repeated(sent: bytes) -> None:
    below = Below()
    answer = await ask(below, sent)
    assert (answer.status, answer.error["param"]) == (400, "X-Request-Id")
    assert answer.header("x-request-id") not in (None, sent.decode("latin-1"))
    assert below.state == []


async def test_two_ids_are_refused() -> None:
    below = Below()
    answer = await ask(below, b"a", b"b")
    assert (answer.status, answer.error["code"]) == (400, "duplicate_header")
    assert below.state == []


async def test_an_id_that_looks_like_a_secret_is_not_logged() -> None:
    below = Below()
    await ask(below, b"sk-0123456789abcdef")
    assert below.logged == ["[redacted]"]
    assert below.state == ["sk-0123456789abcdef"]


async def test_other_protocols_pass() -> None:
    seen = []

    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    client = AsgiClient()
    await RequestIdMiddleware(below)({"type": "lifespan"}, client.receive, client.send)
    assert seen == ["lifespan"]
