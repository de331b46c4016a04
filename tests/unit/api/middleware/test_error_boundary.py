from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from api.errors import BodyTooLarge
from api.middleware.error_boundary import ErrorBoundaryMiddleware
from tests.unit.api.asgi import AsgiClient


class Failing:
    def __init__(self, error: Exception, *, started: bool = False) -> None:
        self._error = error
        self._started = started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        if self._started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self._error


async def test_an_error_of_the_api_is_its_body() -> None:
    error = BodyTooLarge("too large", param="body", headers=[(b"connection", b"close")])
    answer = await AsgiClient().ask(ErrorBoundaryMiddleware(Failing(error)))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (413, "body_too_large", "body")
    assert answer.header("connection") == "close"


async def test_anything_else_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = await AsgiClient().ask(ErrorBoundaryMiddleware(Failing(KeyError("hunter2"))))
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert b"hunter2" not in answer.body
    assert "hunter2" in caplog.text


@pytest.mark.parametrize("error", [KeyError("x"), BodyTooLarge("x")])
async def test_what_fails_after_the_answer_has_begun_is_the_servers_to_break_off(error: Exception) -> None:
    with pytest.raises(type(error)):
        await AsgiClient().ask(ErrorBoundaryMiddleware(Failing(error, started=True)))
