"""The backend for OpenAI-compatible upstreams, against a real server that misbehaves as told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.errors import (
    BackendError,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from serving.http.pool import ConnectionPool
from serving.types import Endpoint, EngineRequest, Usage, WholeReply
from tests.integration.serving.backends.conftest import OpenUpstream
from tests.integration.serving.backends.scripted_server import Exchange

ANSWER = {
    "id": "cmpl-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}


def request(*, stream: bool = False, endpoint: Endpoint = Endpoint.CHAT, **body: Any) -> EngineRequest:
    return EngineRequest(endpoint=endpoint, body={"model": "public", **body}, stream=stream, request_id="req-1")


async def say_hi(exchange: Exchange) -> None:
    await exchange.answer(200, ANSWER)


async def test_a_whole_answer_comes_with_its_usage(upstream: OpenUpstream) -> None:
    server, backend = await upstream(say_hi)
    reply = await backend.open(request(messages=[], seed=2**62))
    reply.close()
    assert isinstance(reply, WholeReply)
    assert reply.body == ANSWER
    assert reply.upstream == "near"
    assert reply.usage == Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=4)
    [exchange] = server.exchanges
    assert (exchange.method, exchange.path) == ("POST", "/v1/chat/completions")
    assert exchange.body == {"model": "public", "messages": [], "seed": 2**62}
    assert exchange.headers["x-request-id"] == "req-1"
    assert exchange.headers["content-type"] == "application/json"
    assert "authorization" not in exchange.headers


async def test_the_upstreams_own_model_name_and_key_are_sent(upstream: OpenUpstream) -> None:
    server, backend = await upstream(say_hi, model="mistral", api_key="k-1")
    asked = request(endpoint=Endpoint.COMPLETIONS, prompt="x")
    await backend.open(asked)
    assert server.exchanges[0].path == "/v1/completions"
    assert server.exchanges[0].body["model"] == "mistral"
    assert server.exchanges[0].headers["authorization"] == "Bearer k-1"
    assert asked.body["model"] == "public"  # the request is shared by all attempts, so it stays as it was


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {"include_usage": True, "x": 1}])
async def test_usage_is_always_asked_for_on_streams(upstream: OpenUpstream, options: dict[str, Any] | None) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
        await exchange.done()

    server, backend = await upstream(stream)
    reply = await backend.open(request(stream=True, stream_options=options))
    reply.close()
    assert server.exchanges[0].body["stream_options"] == {**(options or {}), "include_usage": True}


@pytest.mark.parametrize(("can", "choices", "asked"), [(True, 1, True), (True, 2, False), (False, 1, False)])
async def test_usage_in_chunks_is_asked_of_who_can_say_it_for_the_whole(
    upstream: OpenUpstream, can: bool, choices: int, asked: bool
) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin_stream()
        for index in range(choices):
            await exchange.event({"choices": [{"index": index, "delta": {"content": "Hi"}, "finish_reason": "stop"}]})
        await exchange.done()

    server, backend = await upstream(stream, usage_in_chunks=can)
    (await backend.open(replace(request(stream=True), choices=choices))).close()
    assert server.exchanges[0].body["stream_options"].get("continuous_usage_stats", False) is asked


async def test_an_error_that_is_null_is_none(upstream: OpenUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(200, {**ANSWER, "error": None})

    _, backend = await upstream(answer)
    reply = await backend.open(request())
    assert isinstance(reply, WholeReply)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"message": "bad", "param": "n"}}, BackendRejected),
        (400, b"<html>", BackendRejected),
        (429, {"error": {"message": "slow down"}}, BackendOverloaded),
        (500, b"", BackendUnavailable),
        (302, b"", BackendProtocolError),
        (200, b"<html>", BackendProtocolError),
        (200, b"[1]", BackendProtocolError),
        (200, b"", BackendProtocolError),
        (200, {"choices": "x"}, BackendProtocolError),
        (200, {}, BackendProtocolError),
        (200, {"choices": [{"index": 0, "message": {"content": "Hi"}}]}, BackendProtocolError),
        (200, {"error": {"message": "out of memory", "code": 500}}, BackendUnavailable),
        (200, {"error": {"message": "too long", "code": 400}}, BackendRejected),
    ],
)
async def test_what_is_no_answer_is_an_error(
    upstream: OpenUpstream, status: int, body: object, expected: type[BackendError]
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(status, body, location="http://127.0.0.1:1/elsewhere")

    server, backend = await upstream(refuse)
    with pytest.raises(BackendError) as caught:
        await backend.open(request(stream=status != 200))
    assert type(caught.value) is expected
    assert caught.value.upstream == "near"
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("inf", None), ("soon", None)])
async def test_how_long_an_overloaded_engine_wants_to_be_left_alone(
    upstream: OpenUpstream, header: str, seconds: float | None
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(503, b"", retry_after=header)

    _, backend = await upstream(refuse)
    with pytest.raises(BackendOverloaded) as caught:
        await backend.open(request())
    assert caught.value.retry_after_s == seconds


async def test_a_404_blames_the_catalogue_only_where_it_gave_the_name(upstream: OpenUpstream) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(404, {"error": {"message": "no such model"}})

    _, named = await upstream(refuse, model="mistral")
    with pytest.raises(BackendUnavailable):
        await named.open(request())
    _, forwarding = await upstream(refuse)
    with pytest.raises(BackendRejected):
        await forwarding.open(request())


async def test_a_refused_connection_is_unavailable_and_not_tried_twice(unused_tcp_port: int) -> None:
    pool = ConnectionPool(connect_timeout_s=5)
    timeouts = Timeouts(connect_s=5, first_byte_s=5, between_chunks_s=5, request_s=5)
    address = f"http://127.0.0.1:{unused_tcp_port}/v1"
    backend = OpenAIBackend(name="gone", base_url=address, pool=pool, timeouts=timeouts)
    with pytest.raises(BackendUnavailable, match=r"^gone is unavailable \(ConnectFailed\)$"):
        await backend.open(request())
    with pytest.raises(BackendUnavailable):
        await backend.check()
    await pool.aclose()


async def test_connections_are_used_again(upstream: OpenUpstream) -> None:
    server, backend = await upstream(say_hi)
    for _ in range(5):
        await backend.open(request())
    assert server.connections == 1
    assert len(server.exchanges) == 5


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_kept_connection_that_the_upstream_gave_up_is_replaced(upstream: OpenUpstream, how: str) -> None:
    async def answer_once_then_break(exchange: Exchange) -> None:
        if exchange.connection == 1 and len(server.exchanges) == 2:
            exchange.reset() if how == "reset" else exchange.writer.close()
        else:
            await exchange.answer(200, ANSWER)

    server, backend = await upstream(answer_once_then_break)
    for _ in range(3):
        await backend.open(request())
    assert [exchange.connection for exchange in server.exchanges] == [1, 1, 2, 2]


async def test_an_upstream_that_breaks_every_connection_is_unavailable(upstream: OpenUpstream) -> None:
    async def reset(exchange: Exchange) -> None:
        exchange.reset()

    server, backend = await upstream(reset)
    with pytest.raises(BackendUnavailable):
        await backend.open(request())
    assert len(server.exchanges) == 1  # it was new: only a kept connection may have been closed just as it was picked


async def test_an_answer_that_breaks_off_is_unavailable_and_not_repeated(upstream: OpenUpstream) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.send(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"choices":')
        exchange.reset()

    server, backend = await upstream(half)
    with pytest.raises(BackendUnavailable):
        await backend.open(request())
    assert len(server.exchanges) == 1


async def test_garbage_instead_of_http_is_unavailable(upstream: OpenUpstream) -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.send(b"\x00\x01\x02 not http\r\n\r\n")

    _, backend = await upstream(garbage)
    with pytest.raises(BackendUnavailable):
        await backend.open(request())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("headers_first", [False, True])
async def test_an_engine_that_says_nothing_times_out_and_is_told_to_stop(
    upstream: OpenUpstream, stream: bool, headers_first: bool
) -> None:
    left = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        if headers_first:
            await exchange.begin_stream()
        await exchange.client_left()
        left.set()

    limits = {"first_byte_s": 0.2} if stream else {"request_s": 0.2}
    _, backend = await upstream(hang, **limits)
    with pytest.raises(BackendTimeout):
        await backend.open(request(stream=stream))
    await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_early_stops_the_engine(upstream: OpenUpstream, stream: bool) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        if stream:
            await exchange.begin_stream()
        asked.set()
        await exchange.client_left()
        left.set()

    _, backend = await upstream(hang)
    opening = asyncio.create_task(backend.open(request(stream=stream)))
    await asyncio.wait_for(asked.wait(), 10)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize("value", ["\ud800", 10**5000], ids=["half a surrogate pair", "5000 digits"])
async def test_a_body_that_cannot_be_encoded_is_the_clients_mistake(upstream: OpenUpstream, value: object) -> None:
    server, backend = await upstream(say_hi)
    with pytest.raises(BackendRejected) as caught:
        await backend.open(request(vendor_field=value))
    assert caught.value.status == 400
    assert caught.value.error["param"] == "body"
    assert server.exchanges == []


async def test_a_query_of_the_address_goes_with_every_request(upstream: OpenUpstream) -> None:
    server, backend = await upstream(say_hi, query="?api-version=1")
    (await backend.open(request())).close()
    assert server.exchanges[0].path == "/v1/chat/completions?api-version=1"


@pytest.mark.parametrize("key", ["two\nlines", "k\u00e9y"])
async def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(upstream: OpenUpstream, key: str) -> None:
    with pytest.raises(ValueError, match="upstream 'near'") as refused:
        await upstream(say_hi, api_key=key)
    assert key not in str(refused.value)
