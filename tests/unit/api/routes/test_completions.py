"""The endpoint of all completions, as a server calls it: whole, streamed, refused, broken off, left."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from api.routes.completions import CompletionEndpoint, completion_endpoints
from serving.errors import BackendInterrupted, BackendRejected, BackendUnavailable
from serving.types import Endpoint
from tests.unit.api.asgi import AsgiClient
from tests.unit.api.fakes import CHAT, KEY, USAGE, Journal
from tests.unit.api.house import House

AUTHORIZED = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"application/json")]
ANSWER = {"id": "i", "created": 1, "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}
CHUNK = {"id": "i", "created": 1, "choices": [{"delta": {"content": "Hi"}}]}


def endpoint(house: House, *, timeout_s: float = 30.0) -> CompletionEndpoint:
    return CompletionEndpoint(Endpoint.CHAT, pipeline=house.pipeline, accounting=house.accounting, timeout_s=timeout_s)


def client(body: Any = None, *, headers: list[tuple[bytes, bytes]] = AUTHORIZED, **changes: Any) -> AsgiClient:
    raw = body if isinstance(body, bytes) else msgspec.json.encode({**CHAT, **changes})
    return AsgiClient(raw, headers=headers)


def outcomes(house: House) -> str:
    lines = house.metrics.exposition().decode().splitlines()
    return " ".join(
        line.split('outcome="')[1].split('"')[0] for line in lines if line.startswith("gateway_requests_total")
    )


async def test_a_whole_answer() -> None:
    house = House(ANSWER)
    answer = await client().ask(endpoint(house))
    assert answer.status == 200
    assert answer.json["choices"][0]["message"] == {"role": "assistant", "content": "Hi", "refusal": None}
    assert answer.json["model"] == "fast"
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.header("x-served-by") == "fast-1"
    assert answer.header("x-ratelimit-limit-requests") == "100"
    assert house.ledger.rows[0].outcome == outcomes(house) == "ok"
    assert house.holds_nothing


async def test_a_streamed_answer() -> None:
    house = House([[CHUNK], [CHUNK]])
    answer = await client(stream=True).ask(endpoint(house))
    assert answer.status == 200
    assert answer.body.count(b"data: ") == 3
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.header("x-ratelimit-limit-requests") == "100"
    assert house.ledger.rows[0].time_to_first_token_s is not None
    assert house.holds_nothing


async def test_a_stream_that_breaks_off_ends_with_an_error_and_is_billed() -> None:
    house = House([[CHUNK], BackendInterrupted("broke off", upstream="fast-1")])
    answer = await client(stream=True).ask(endpoint(house))
    assert answer.status == 200
    assert b"[DONE]" not in answer.body
    last = msgspec.json.decode(answer.body.split(b"\n\n")[-2].removeprefix(b"data: "))
    assert last["error"]["code"] == "upstream_failed"
    assert house.ledger.rows[0].outcome == outcomes(house) == "upstream_failed"
    assert house.holds_nothing


@pytest.mark.parametrize(
    ("asked", "status", "code", "param", "outcome"),
    [
        (client(b"{"), 400, "invalid_json", "body", "invalid_request_error"),
        (client(max_tokens=-1), 400, "invalid_value", "max_tokens", "invalid_request_error"),
        (client(model="nobody"), 404, "model_not_found", "model", "model_not_found"),
        (client(headers=[]), 401, "invalid_api_key", "Authorization", "invalid_api_key"),
        (client(headers=[(b"authorization", b"Basic x")]), 401, "invalid_api_key", "Authorization", "invalid_api_key"),
        (client(headers=AUTHORIZED[:1] * 2), 400, "duplicate_header", "Authorization", "invalid_request_error"),
        (
            client(headers=[*AUTHORIZED[:1], (b"content-type", b"text/plain")]),
            415,
            "unsupported_media_type",
            "Content-Type",
            "unsupported_media_type",
        ),
        (
            client(headers=[*AUTHORIZED, (b"content-encoding", b"gzip")]),
            415,
            "unsupported_media_type",
            "Content-Encoding",
            "unsupported_media_type",
        ),
    ],
    ids=[
        "no JSON",
        "a wrong value",
        "an unknown model",
        "no key",
        "another scheme",
        "two keys",
        "another type",
        "compressed",
    ],
)
async def test_a_request_that_is_wrong(asked: AsgiClient, status: int, code: str, param: str, outcome: str) -> None:
    house = House()
    answer = await asked.ask(endpoint(house))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, param)
    assert answer.ended
    assert outcomes(house) == outcome
    assert house.backend.requests == []
    assert house.holds_nothing


@pytest.mark.parametrize("content_type", [b"application/json", b"Application/JSON; charset=utf-8", b""])
async def test_content_types_of_json(content_type: bytes) -> None:
    answer = await client(headers=[*AUTHORIZED[:1], (b"content-type", content_type)]).ask(endpoint(House()))
    assert answer.status == 200


async def test_a_limit_that_is_reached() -> None:
    house = House()
    house.limiter.refuse = "requests"
    answer = await client().ask(endpoint(house))
    assert (answer.status, answer.error["code"]) == (429, "rate_limit_exceeded")
    assert answer.header("retry-after") == "3"
    assert answer.header("x-ratelimit-limit-requests") == "100"


async def test_an_engine_that_is_away() -> None:
    house = House(BackendUnavailable("refused", upstream="fast-1"))
    answer = await client().ask(endpoint(house))
    assert (answer.status, answer.error["code"]) == (503, "server_is_overloaded")
    assert answer.header("retry-after") == "2"
    assert answer.header("x-ratelimit-limit-requests") == "100"  # it was admitted, so the client may know
    assert house.holds_nothing


async def test_what_the_engine_says_about_a_request() -> None:
    house = House(
        BackendRejected("no", upstream="fast-1", status=400, error={"message": "too long", "param": "messages"})
    )
    answer = await client().ask(endpoint(house))
    assert (answer.status, answer.error["message"], answer.error["param"]) == (400, "too long", "messages")
    assert outcomes(house) == "rejected_by_engine"


async def test_our_own_mistake_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    house = House(journal=Journal(fail_at="guard", error=RuntimeError("password=hunter2")))
    answer = await client().ask(endpoint(house))
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert b"hunter2" not in answer.body
    assert "unhandled error" in caplog.text
    assert outcomes(house) == "internal_error"
    assert house.holds_nothing


@pytest.mark.parametrize("stage", ["reserve", "guard", "cache", "open", "frame"])
async def test_a_client_that_leaves_stops_the_work_and_gets_no_answer(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    asked = client(stream=True)
    serving = asyncio.create_task(asked.ask(endpoint(house)))
    await asyncio.wait_for(house.journal.stopped.wait(), 10)
    asked.leave()
    await asyncio.wait_for(serving, 10)
    assert not asked.answer.ended
    assert outcomes(house) == "cancelled"
    ends = {"reserve": [], "frame": ["cancelled"]}
    assert [row.outcome for row in house.ledger.rows] == ends.get(stage, ["abandoned"])
    assert house.holds_nothing


async def test_a_client_that_leaves_while_it_sends_is_nobodys_error(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    asked = AsgiClient([b"{", b""], headers=AUTHORIZED)
    asked._parts = []
    asked.leave()
    await asyncio.wait_for(asked.ask(endpoint(house)), 10)
    assert asked.answer.status == 0
    assert outcomes(house) == "cancelled"
    assert caplog.records == []


@pytest.mark.parametrize("stage", ["guard", "open", "frame"])
async def test_a_shutdown_that_cannot_wait_tells_the_client(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    asked = client(stream=True)
    serving = asyncio.create_task(asked.ask(endpoint(house)))
    await asyncio.wait_for(house.journal.stopped.wait(), 10)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 10)
    assert asked.answer.ended
    assert b"server_is_overloaded" in asked.answer.body
    assert asked.answer.status == (200 if stage == "frame" else 503)
    assert house.holds_nothing


@pytest.mark.parametrize("stage", ["guard", "open", "frame"])
async def test_a_request_that_takes_too_long_as_a_whole(stage: str) -> None:
    house = House([[CHUNK]], journal=Journal(stop_at=stage))
    answer = await client(stream=True).ask(endpoint(house, timeout_s=0.05))
    assert b"upstream_timeout" in answer.body
    assert answer.status == (200 if stage == "frame" else 504)
    assert outcomes(house) == "upstream_timeout"
    assert house.holds_nothing


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    for _ in range(20):
        await client().ask(endpoint(House(ANSWER)))
    await asyncio.sleep(0.03)
    assert asyncio.all_tasks() == before


def test_every_endpoint_has_its_path() -> None:
    house = House()
    paths = completion_endpoints(house.pipeline, house.accounting, timeout_s=1)
    assert set(paths) == {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}
