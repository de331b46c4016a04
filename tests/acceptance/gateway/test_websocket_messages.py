"""Messages that must not be sent: each an error event, on a connection that goes on, and nobody else suffers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.socket_client import open_socket

STREAM: dict[str, Any] = {**QUESTION, "max_tokens": 5, "stream": True}


@pytest.fixture(scope="module")
def strict(gateways: GatewayFactory) -> Iterator[Gateway]:
    """Small limits, and keys that have them to themselves."""
    gateway = gateways.start(
        WORKERS=1,
        RATE_LIMIT_RPM=3,
        RATE_LIMIT_TPM=5000,
        MAX_INFLIGHT_PER_WORKER=2,
        API_KEYS="acceptance-key:acceptance,a:small,b:small,c:small",
    )
    yield gateway
    assert gateway.samples().total("gateway_requests_total", outcome="internal_error") == 0
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("", "invalid_json", "message"),
        ("{", "invalid_json", "message"),
        ("null", "invalid_value", "message"),
        ("[" * 100_000, "invalid_value", "message"),
        ('{"type":"request","body":' + "[" * 100_000 + "]" * 100_000 + "}", "invalid_json", "message"),
        ("[]", "invalid_value", "message"),
        ("7", "invalid_value", "message"),
        ("{}", "invalid_value", "message"),
        (json.dumps(STREAM), "invalid_value", "message"),
        ('{"type": "response.create"}', "invalid_value", "message"),
        ('{"type": "request", "bodi": {}}', "invalid_value", "message"),
        ('{"type": "request", "request_id": 7, "body": {}}', "invalid_value", "message"),
        ('{"type": "request", "request_id": "", "body": {}}', "invalid_value", "request_id"),
        ('{"type": "request", "request_id": "a b", "body": {}}', "invalid_value", "request_id"),
        ('{"type": "request", "request_id": "a\\u0000", "body": {}}', "invalid_value", "request_id"),
        ('{"type": "request", "request_id": "' + "a" * 129 + '", "body": {}}', "invalid_value", "request_id"),
        ('{"type": "request"}', "missing_required_parameter", "body"),
        ('{"type": "cancel"}', "missing_required_parameter", "request_id"),
    ],
    ids=lambda value: value[:40],
)
async def test_a_message_that_says_nothing_gets_an_error_without_an_id(
    gateway: Gateway, message: str, code: str, param: str
) -> None:
    async with open_socket(gateway) as opened:
        await opened.send(message)
        answered = await opened.rest()
        assert answered.last["request_id"] is None
        assert answered.last["status"] == 400
        assert (answered.error()["code"], answered.error()["param"]) == (code, param)
        assert (await opened.ask(STREAM)).last["type"] == "done"


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "missing_required_parameter", "messages"),
        (None, 400, "invalid_json", "body"),
        ([], 400, "invalid_json", "body"),
        ({**STREAM, "max_tokens": -1}, 400, "invalid_value", "max_tokens"),
        ({**STREAM, "model": "nobody"}, 404, "model_not_found", "model"),
        ({**STREAM, "stream": "yes"}, 400, "invalid_value", "stream"),
    ],
    ids=str,
)
async def test_a_wrong_body_gets_the_error_of_http(
    gateway: Gateway, ledger: LedgerRows, request_id: str, body: Any, status: int, code: str, param: str
) -> None:
    async with open_socket(gateway) as opened:
        answered = await opened.ask(body, request_id)
    async with gateway.async_client() as client:
        over_http = await client.post(CHAT, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answered.last["request_id"] == request_id
    assert (answered.last["status"], over_http.status_code) == (status, status)
    assert answered.error() == over_http.json()["error"]
    assert (answered.error()["code"], answered.error()["param"]) == (code, param)
    assert ledger.now(request_id) == []


async def test_an_id_that_is_in_use_is_refused_and_its_owner_runs_on(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 50})
    async with open_socket(gateway) as opened:
        await opened.request({**STREAM, "max_tokens": 20, "ignore_eos": True}, "twice")
        await opened.request(STREAM, "twice")
        answered = await opened.rest()
        refused = [event for event in opened.received if event["request_id"] is None]
        if not refused:
            refused = [await opened.event()]
        assert refused[0]["error"]["param"] == "request_id"
        if answered.last in refused:
            answered = await opened.rest()
        assert answered.last == {"type": "done", "request_id": "twice"}
        engine.put_faults()
        assert (await opened.ask(STREAM, "twice")).last["type"] == "done"


async def test_limits_are_those_of_http_and_say_so(strict: Gateway, engine: Engine) -> None:
    assert engine.process.is_running()
    async with open_socket(strict, key="a") as opened:
        remaining = [(await opened.ask(STREAM)).headers["x-ratelimit-remaining-requests"] for _ in range(3)]
        assert remaining == ["2", "1", "0"]
        refused = await opened.ask(STREAM, "fourth")
        assert (refused.last["status"], refused.error()["code"]) == (429, "rate_limit_exceeded")
        assert refused.error()["type"] == "requests"
        assert 1 <= int(refused.last["headers"]["retry-after"]) <= 61
        assert refused.last["headers"]["x-ratelimit-limit-requests"] == "3"
    async with strict.async_client("a") as client:  # one limit for both ways
        assert (await client.post(CHAT, json=QUESTION)).status_code == 429


async def test_a_request_that_can_never_fit_is_told_not_to_retry(strict: Gateway) -> None:
    async with open_socket(strict, key="b") as opened:
        refused = await opened.ask({**STREAM, "max_tokens": 6000})
        assert refused.last["status"] == 429
        assert refused.last["headers"]["x-should-retry"] == "false"
        assert (await opened.ask(STREAM)).last["type"] == "done"


async def test_a_full_gateway_says_so(strict: Gateway, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 50})
    async with open_socket(strict, key="c") as opened:
        for number in range(2):
            await opened.request({**STREAM, "max_tokens": 600, "ignore_eos": True}, f"r{number}")
        await opened.until_output("r0", "r1")
        await opened.request(STREAM, "third")
        (refused,) = await opened.collect("third")
        assert (refused.last["status"], refused.error()["code"]) == (503, "server_is_overloaded")
        assert int(refused.last["headers"]["retry-after"]) >= 1
    eventually(strict.in_flight, until=lambda count: count == 0)


async def test_a_flood_of_bad_messages_does_not_keep_others_waiting(gateway: Gateway) -> None:
    async with open_socket(gateway) as flooding, open_socket(gateway) as other:
        for _ in range(2000):
            await flooding.send("{}")
        assert (await other.ask(STREAM)).last["type"] == "done"
        for _ in range(2000):
            assert (await flooding.event())["type"] == "error"
        assert (await flooding.ask(STREAM)).last["type"] == "done"


async def test_hundreds_of_sockets_are_shared_by_the_workers(gateway: Gateway) -> None:
    async with AsyncExitStack() as held:
        opened = [await held.enter_async_context(open_socket(gateway)) for _ in range(300)]
        assert gateway.samples().total("gateway_websockets") == 300
        for one in opened[::50]:
            assert (await one.ask(STREAM)).last["type"] == "done"
    eventually(lambda: gateway.samples().total("gateway_websockets"), until=lambda count: count == 0)
