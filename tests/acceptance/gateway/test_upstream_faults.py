"""An engine that fails: before its first byte a clear error, after it a stream that says that it is not whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.acceptance.gateway.fault_scripts import (
    BEFORE_THE_FIRST_BYTE,
    MID_STREAM,
    ODD_BUT_GOOD,
    ONLY_STREAMED,
    SCRIPTS,
)
from tests.acceptance.gateway.faulty_models import model, write_models
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import CHAT_CHUNK, CHAT_COMPLETION, ERROR, conforms, sse_chunks, sse_payloads
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream

MESSAGES: Any = QUESTION["messages"]
HELLO_TOKENS = 3
"""Estimated of "Hello you", nine characters: what an answer owes whose engine has not said, whole or not."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(SCRIPTS) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def faulty(gateways: GatewayFactory, upstream: ScriptedUpstream, acceptance_dir: Path) -> Iterator[Gateway]:
    """A gateway with a model for each script, and one for MockLLM, which all have half a second."""
    times = {"timeouts": {"first_byte_s": 0.5, "between_chunks_s": 0.5, "request_s": 0.5}}
    models = [
        model(name, {"name": name, "base_url": upstream.base_url(name), "model": "upstream-name", **times})
        for name in SCRIPTS
    ]
    models.append(model("mock", {"name": "mock", "base_url": "${MOCK_BASE_URL}", "model": "finsight-fast", **times}))
    file = write_models(acceptance_dir / "faulty-models.yaml", models)
    gateway = gateways.start(WORKERS=1, MODELS_FILE=str(file))
    yield gateway
    assert gateway.samples().total("gateway_requests_total", outcome="internal_error") == 0
    assert gateway.in_flight() == 0
    gateways.stop(gateway)


@pytest.fixture
def faulty_client(faulty: Gateway) -> Iterator[httpx.Client]:
    with faulty.client() as client:
        yield client


def ask(client: httpx.Client, name: str, *, stream: bool, **headers: str) -> httpx.Response:
    return client.post(CHAT, json={**QUESTION, "model": name, "stream": stream}, headers=headers)


def check_refusal(answer: httpx.Response, status: int, code: str | None) -> None:
    assert answer.status_code == status, answer.text
    conforms(answer.json(), ERROR)
    error = answer.json()["error"]
    assert error["code"] == code
    assert "127.0.0.1" not in error["message"]
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BEFORE_THE_FIRST_BYTE)
def test_a_failure_before_the_first_byte_is_a_clear_error(
    faulty_client: httpx.Client,
    name: str,
    stream: bool,
) -> None:
    _, status, code = BEFORE_THE_FIRST_BYTE[name]
    check_refusal(ask(faulty_client, name, stream=stream), status, code)


@pytest.mark.parametrize("name", ONLY_STREAMED)
def test_a_stream_that_does_not_begin_is_a_clear_error(faulty_client: httpx.Client, name: str) -> None:
    _, status, code = ONLY_STREAMED[name]
    check_refusal(ask(faulty_client, name, stream=True), status, code)


def test_a_body_that_breaks_off_is_a_clear_error(faulty_client: httpx.Client) -> None:
    check_refusal(ask(faulty_client, "cuts-the-body", stream=False), 503, "server_is_overloaded")


def test_the_engines_own_refusal_reaches_the_client(faulty_client: httpx.Client) -> None:
    error = ask(faulty_client, "status-400", stream=False).json()["error"]
    assert (error["message"], error["param"]) == ("Too odd.", "odd")


def test_the_engines_own_pause_reaches_the_client(faulty_client: httpx.Client) -> None:
    assert ask(faulty_client, "asks-for-patience", stream=False).headers["retry-after"] == "7"


@pytest.mark.parametrize("name", MID_STREAM)
def test_a_stream_that_breaks_off_says_so(
    faulty: Gateway, faulty_client: httpx.Client, ledger: LedgerRows, request_id: str, name: str
) -> None:
    answer = ask(faulty_client, name, stream=True, **{"X-Request-Id": request_id})
    assert answer.status_code == 200
    *payloads, last = sse_payloads(answer.text)
    assert "[DONE]" not in payloads
    conforms(json.loads(last), ERROR)
    chunks = [json.loads(payload) for payload in payloads]
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == "Hello you"
    row = ledger.one(request_id)
    assert (row["outcome"], row["completion_tokens"], row["estimated"]) == ("upstream_failed", HELLO_TOKENS, True)
    with openai.OpenAI(base_url=faulty.base_url, api_key=KEY, max_retries=0) as client:
        stream = client.chat.completions.create(model=name, messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="engine"):
            list(stream)


@pytest.mark.parametrize("name", sorted(ODD_BUT_GOOD.keys() - {"vllm-body"}))
def test_an_odd_stream_that_is_whole_conforms(faulty_client: httpx.Client, name: str) -> None:
    chunks = sse_chunks(ask(faulty_client, name, stream=True).text)
    for one in chunks:
        conforms(one, CHAT_CHUNK)
        assert one["model"] == name
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks).startswith("Hello you")


def test_an_answer_as_vllm_writes_it_conforms(faulty_client: httpx.Client) -> None:
    body = ask(faulty_client, "vllm-body", stream=False).json()
    conforms(body, CHAT_COMPLETION)
    assert body["model"] == "vllm-body"


@pytest.mark.parametrize("name", ["without-usage", "usage-null"])
def test_a_stream_without_usage_is_billed_by_its_length(
    faulty_client: httpx.Client, ledger: LedgerRows, request_id: str, name: str
) -> None:
    ask(faulty_client, name, stream=True, **{"X-Request-Id": request_id})
    row = ledger.one(request_id)
    assert (row["outcome"], row["completion_tokens"], row["estimated"]) == ("ok", HELLO_TOKENS, True)
    assert row["prompt_tokens"] > 0
    assert row["cost_usd"] > 0


def test_an_answer_without_usage_is_billed_by_its_length(
    faulty_client: httpx.Client, ledger: LedgerRows, request_id: str
) -> None:
    answer = ask(faulty_client, "body-without-usage", stream=False, **{"X-Request-Id": request_id})
    assert "usage" not in answer.json()
    row = ledger.one(request_id)
    assert (row["outcome"], row["completion_tokens"], row["estimated"]) == ("ok", HELLO_TOKENS, True)
    assert row["prompt_tokens"] > 0


def test_a_stream_with_usage_is_billed_by_it(faulty_client: httpx.Client, ledger: LedgerRows, request_id: str) -> None:
    ask(faulty_client, "good", stream=True, **{"X-Request-Id": request_id})
    row = ledger.one(request_id)
    assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == (7, 2, False)
    assert float(row["cost_usd"]) == pytest.approx((7 * 1.0 + 2 * 2.0) / 1e6)


def test_what_the_engine_is_sent(faulty_client: httpx.Client, upstream: ScriptedUpstream) -> None:
    upstream.received["good"].clear()
    wanted: dict[str, Any] = {**QUESTION, "model": "good", "stream": True, "top_k": 3, "guided": {"a": [1, None]}}
    faulty_client.post(CHAT, json=wanted, headers={"X-Request-Id": "mine"})
    (received,) = upstream.received["good"]
    assert received.body == {**wanted, "model": "upstream-name", "stream_options": {"include_usage": True}}
    head = received.head.lower()
    assert "x-request-id: mine" in head
    assert KEY not in head


FAULTS: list[tuple[dict[str, Any], int]] = [
    ({"out_of_memory": {}}, 503),
    ({"error_rate": {"probability": 1, "status": 500}}, 503),
    ({"error_rate": {"probability": 1, "status": 429}}, 503),
    ({"hang": {}}, 504),
    ({"reset": {}}, 503),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("switches", "status"), FAULTS, ids=lambda value: str(value)[:30])
def test_a_faulty_mock_engine_before_the_first_byte(
    faulty_client: httpx.Client,
    engine: Engine,
    switches: dict[str, Any],
    status: int,
    stream: bool,
) -> None:
    engine.put_faults(**switches)
    answer = ask(faulty_client, "mock", stream=stream)
    check_refusal(answer, status, {503: "server_is_overloaded", 504: "upstream_timeout"}[status])
    engine.put_faults()
    assert ask(faulty_client, "mock", stream=stream).status_code == 200


@pytest.mark.parametrize("switch", ["cut_stream", "stalled_stream", "reset"])
def test_a_faulty_mock_engine_mid_stream(faulty_client: httpx.Client, engine: Engine, switch: str) -> None:
    engine.put_faults(**{switch: {"after_chunks": 4}})
    payloads = sse_payloads(ask(faulty_client, "mock", stream=True).text)
    conforms(json.loads(payloads[-1]), ERROR)
    assert json.loads(payloads[-1])["error"]["code"] == "upstream_failed"
    assert len(payloads) > 1 or switch == "reset"  # a reset may overtake what was sent before it
