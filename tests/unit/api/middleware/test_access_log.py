from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from api.cache.types import CacheStatus
from api.middleware.access_log import AccessLogMiddleware
from api.respond import send_json
from tests.unit.api.asgi import AsgiClient
from tests.unit.api.fakes import CHAT, catalogue, model, read_call


class Lines:
    def __init__(self) -> None:
        self.fields: list[dict[str, Any]] = []

    def write(self, logger: str, message: str, fields: dict[str, Any]) -> None:
        assert (logger, message) == ("gateway.access", "request")
        self.fields.append(fields)


@pytest.fixture(autouse=True)
def _access_log_is_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send_json(send, 404, b"{}")


async def test_a_line_for_every_request() -> None:
    lines = Lines()
    await AsgiClient(method="GET", path="/v1/models").ask(AccessLogMiddleware(answer, write_event=lines.write))
    [line] = lines.fields
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/models", 404)
    assert line["duration_ms"] >= 0


async def test_a_completions_line_tells_who_and_what_came_of_it_but_never_what_was_said() -> None:
    lines = Lines()
    call = await read_call(
        {**CHAT, "messages": [{"role": "user", "content": "my secret"}]}, offered=catalogue(model("fast"))
    )
    call.outcome = "cancelled"
    await AsgiClient(state={"request_id": "r", "call": call}).ask(AccessLogMiddleware(answer, write_event=lines.write))
    [line] = lines.fields
    assert (line["tenant"], line["model"], line["outcome"]) == ("finsight", "fast", "cancelled")
    assert "secret" not in str(line)


async def test_a_line_says_what_the_cache_had_and_why_not_more() -> None:
    lines = Lines()
    middleware = AccessLogMiddleware(answer, write_event=lines.write)
    call = await read_call(CHAT, offered=catalogue(model("fast")))
    await AsgiClient(state={"request_id": "r", "call": call}).ask(middleware)
    call.cache_status, call.cache_reason = CacheStatus.BYPASS, "temperature"
    await AsgiClient(state={"request_id": "r", "call": call}).ask(middleware)
    without, bypassed = lines.fields
    assert "cache" not in without
    assert (bypassed["cache"], bypassed["cache_reason"]) == ("bypass", "temperature")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_are_not_logged(path: str) -> None:
    lines = Lines()
    await AsgiClient(path=path).ask(AccessLogMiddleware(answer, write_event=lines.write))
    assert lines.fields == []


async def test_a_secret_in_a_path_is_not_logged() -> None:
    lines = Lines()
    await AsgiClient(path="/v1/models/sk-0123456789abcdef").ask(AccessLogMiddleware(answer, write_event=lines.write))
    assert lines.fields[0]["path"] == "/v1/models/[redacted]"


async def test_what_fails_is_logged_too() -> None:
    lines = Lines()

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise KeyError

    with pytest.raises(KeyError):
        await AsgiClient().ask(AccessLogMiddleware(fail, write_event=lines.write))
    assert lines.fields[0]["status"] == 0


async def test_without_a_shorter_way_lines_go_through_logging(caplog: pytest.LogCaptureFixture) -> None:
    await AsgiClient(path="/v1/models").ask(AccessLogMiddleware(answer))
    assert [vars(record)["path"] for record in caplog.records] == ["/v1/models"]
