"""Who answers: upstreams by weight, the next one when the first fails, another model when all of them do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.embedded.ports import free_port
from tests.acceptance.gateway.faulty_models import GOOD_BODY, GOOD_STREAM, HELLO, model, write_models
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import ERROR, conforms, sse_chunks, sse_payloads
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream, events, hang_up, whole

SCRIPTS = {
    "good": GOOD_BODY,
    "good-stream": GOOD_STREAM,
    "heavy": GOOD_BODY,
    "light": GOOD_BODY,
    "closes": hang_up,
    "fails": whole(500, b""),
    "refuses": whole(400, {"error": {"message": "no", "param": "odd", "type": "x", "code": None}}),
    "breaks-off": events(*HELLO, end=hang_up),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(SCRIPTS) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def failing_over(gateways: GatewayFactory, upstream: ScriptedUpstream, acceptance_dir: Path) -> Iterator[Gateway]:
    def served_by(name: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "base_url": upstream.base_url(name), **fields}

    down = {"name": "down", "base_url": f"http://127.0.0.1:{free_port()}/v1"}
    models = [
        model("down-then-good", down, served_by("good")),
        model("fails-then-good", served_by("fails"), served_by("closes"), served_by("good")),
        model("stream", served_by("fails"), served_by("good-stream")),
        model("weighted", served_by("heavy", weight=3), served_by("light", weight=1)),
        model("falls-back", down, served_by("fails"), fallbacks=["stand-in-that-is-down"]),
        model("stand-in-that-is-down", down, fallbacks=["stand-in"]),
        model("stand-in", served_by("good")),
        model("refuses", served_by("refuses"), fallbacks=["stand-in"]),
        model("breaks-off", served_by("breaks-off"), fallbacks=["stand-in"]),
        model("all-down", down, served_by("fails")),
    ]
    file = write_models(acceptance_dir / "failover-models.yaml", models)
    gateway = gateways.start(WORKERS=1, MODELS_FILE=str(file))
    yield gateway
    gateways.stop(gateway)


@pytest.fixture
def failover_client(failing_over: Gateway) -> Iterator[httpx.Client]:
    with failing_over.client() as client:
        yield client


def ask(client: httpx.Client, name: str, **fields: Any) -> httpx.Response:
    return client.post(CHAT, json={**QUESTION, "model": name, **fields})


@pytest.mark.parametrize("name", ["down-then-good", "fails-then-good"])
def test_the_next_upstream_answers_when_the_first_fails(failover_client: httpx.Client, name: str) -> None:
    for _ in range(10):
        answer = ask(failover_client, name)
        assert answer.status_code == 200
        assert answer.headers["x-served-by"] == "good"
        assert answer.json()["model"] == name


def test_a_stream_that_has_not_begun_moves_on(failover_client: httpx.Client) -> None:
    for _ in range(5):
        answer = ask(failover_client, "stream", stream=True)
        assert answer.headers["x-served-by"] == "good-stream"
        assert len(sse_chunks(answer.text)) == len(HELLO) + 1


def test_a_stream_that_has_begun_does_not(failover_client: httpx.Client, upstream: ScriptedUpstream) -> None:
    before = len(upstream.received["good"])
    assert '"error"' in sse_payloads(ask(failover_client, "breaks-off", stream=True).text)[-1]
    assert len(upstream.received["good"]) == before


def test_another_model_stands_in_and_says_so(failing_over: Gateway, ledger: LedgerRows, request_id: str) -> None:
    with failing_over.client() as client:
        client.headers["X-Request-Id"] = request_id
        answer = ask(client, "falls-back")
    assert answer.status_code == 200
    assert answer.json()["model"] == "stand-in"
    row = ledger.one(request_id)
    assert (row["model"], row["upstream"]) == ("stand-in", "good")


def test_a_refusal_of_the_request_is_nobody_elses_business(
    failover_client: httpx.Client, upstream: ScriptedUpstream
) -> None:
    before = len(upstream.received["good"])
    answer = ask(failover_client, "refuses")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "odd")
    assert len(upstream.received["good"]) == before


def test_weights_share_the_traffic(failover_client: httpx.Client) -> None:
    served = Counter(ask(failover_client, "weighted").headers["x-served-by"] for _ in range(200))
    # 150 is expected; chance leaves this range once in some ten million runs.
    assert 116 <= served["heavy"] <= 182
    assert served.total() == 200


def test_all_down_is_one_clear_error(failing_over: Gateway, failover_client: httpx.Client) -> None:
    def attempts(upstream: str) -> float:
        return failing_over.samples().total("gateway_upstream_attempts_total", upstream=upstream)

    before = attempts("down"), attempts("fails")
    answer = ask(failover_client, "all-down")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    conforms(answer.json(), ERROR)
    assert (attempts("down"), attempts("fails")) == (before[0] + 1, before[1] + 1)


def test_a_killed_engine_is_missed_and_found_again(gateway: Gateway, engine: Engine, client: httpx.Client) -> None:
    assert client.post(CHAT, json=QUESTION).status_code == 200
    engine.process.kill()
    for _ in range(10):
        answer = client.post(CHAT, json=QUESTION)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["error"]["code"] == "server_is_overloaded"
    engine.process.start_ready()
    eventually(lambda: client.post(CHAT, json=QUESTION).status_code, until=lambda status: status == 200)
    assert gateway.in_flight() == 0
