"""From bytes to a request for a model that exists."""

from __future__ import annotations

import threading

import pytest

from api.errors import ApiError, InvalidRequest, TenantMismatch, UnknownModel
from api.routes.admin_refusals import Refusals
from api.schemas.parse import parse_json
from api.stages.read import Reader
from api.tenants.types import Lane
from serving.catalogue.base import ModelKind
from serving.types import Endpoint, Json
from tests.unit.api.fakes import CHAT, KEY, Journal, StoppingKeys, call, catalogue, model, read_call
from tests.unit.api.memory_directory import MemoryDirectory

OFFERED = catalogue(model("fast"), model("embedder", kind=ModelKind.EMBEDDING))
ANY = catalogue(model("fast"), model("*"))


@pytest.mark.parametrize(
    ("asked", "sent"),
    [({}, "fast"), ({"model": None}, "fast"), ({"model": "fast"}, "fast"), ({"model": "fast-alias"}, "fast-alias")],
)
async def test_which_model_is_meant(asked: Json, sent: str) -> None:
    call = await read_call(CHAT | asked, offered=OFFERED)
    assert call.model.name == call.public_model == "fast"
    assert call.body["model"] == sent


async def test_a_forwarded_name_stays_the_clients() -> None:
    call = await read_call({**CHAT, "model": "anything"}, offered=ANY)
    assert call.model.is_wildcard
    assert call.public_model == call.body["model"] == "anything"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (Endpoint.CHAT, CHAT),
        (Endpoint.COMPLETIONS, {"prompt": "Hi"}),
        (Endpoint.EMBEDDINGS, {"input": "Hi", "model": "embedder"}),
    ],
)
async def test_a_request_may_name_its_own_tenant_and_no_other(endpoint: Endpoint, body: Json) -> None:
    for named in ("finsight", None):
        call = await read_call({**body, "tenant": named}, offered=OFFERED, endpoint=endpoint)
        assert "tenant" not in call.body
    named_elsewhere = {"metadata": {"tenant": "the client's own customer"}}
    call = await read_call({**body, **named_elsewhere}, offered=OFFERED, endpoint=endpoint)
    assert call.body["metadata"] == named_elsewhere["metadata"]
    for other in ("Finsight", "", 7, ["finsight"], {"finsight": 1}):
        with pytest.raises(TenantMismatch) as refused:
            await read_call({**body, "tenant": other}, offered=OFFERED, endpoint=endpoint)
        assert (refused.value.status, refused.value.param, refused.value.code) == (403, "tenant", "tenant_mismatch")


async def test_who_names_another_tenant_is_written_down() -> None:
    directory = MemoryDirectory()
    keys = StoppingKeys(Journal())
    asked = call({**CHAT, "tenant": "o\u202ether"})
    asked.caller = await keys.authenticate(KEY)
    with pytest.raises(TenantMismatch):
        await Reader(OFFERED, on_other_tenant=Refusals(directory, keys=keys).other_tenant).read(asked)
    [entry] = directory.audit_log
    assert (entry.action, entry.subject, entry.outcome, entry.code) == (
        "api.call",
        "o?ther",
        "refused",
        "tenant_mismatch",
    )
    assert (entry.actor, entry.request_id) == (asked.caller.key_id, "req-1")


@pytest.mark.parametrize(("asked", "lane"), [({}, Lane.INTERACTIVE), ({"service_tier": "flex"}, Lane.BATCH)])
async def test_a_call_may_say_that_it_can_wait(asked: Json, lane: Lane) -> None:
    call = await read_call(CHAT | asked, offered=OFFERED)
    assert call.lane is lane
    assert call.body.get("service_tier") == asked.get("service_tier")  # the engine may have tiers too


async def test_fields_that_are_not_named_pass_through() -> None:
    call = await read_call({**CHAT, "vendor": {"a": [1]}}, offered=OFFERED)
    assert call.body["vendor"] == {"a": [1]}


@pytest.mark.parametrize(
    ("endpoint", "body", "error", "code"),
    [
        (Endpoint.CHAT, {**CHAT, "model": "nobody"}, UnknownModel, "model_not_found"),
        (Endpoint.CHAT, {**CHAT, "model": "embedder"}, InvalidRequest, "invalid_model"),
        (Endpoint.EMBEDDINGS, {"input": "x", "model": "fast"}, InvalidRequest, "invalid_model"),
        (Endpoint.EMBEDDINGS, {"input": "x"}, InvalidRequest, "invalid_model"),
    ],
)
async def test_a_model_that_cannot_serve_this(endpoint: Endpoint, body: Json, error: type[ApiError], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read_call(body, offered=OFFERED, endpoint=endpoint)
    assert type(refused.value) is error
    assert (refused.value.param, refused.value.code) == ("model", code)


@pytest.mark.parametrize(
    ("changes", "output"),
    [
        ({}, 10),
        ({"n": 3}, 30),
        ({"max_tokens": None}, 50),
        ({"max_tokens": None, "n": 4}, 200),
        ({"max_completion_tokens": 20}, 20),
        ({"max_tokens": 1000}, 1000),
    ],
)
async def test_what_is_reserved(changes: Json, output: int) -> None:
    call = await read_call(CHAT | changes, offered=OFFERED)
    assert call.prompt_tokens == 5
    assert call.reserved_tokens == 5 + output


async def test_all_that_the_engine_writes_to_choose_from_is_reserved() -> None:
    body = {"prompt": ["xxxx", "yyyy"], "best_of": 3, "max_tokens": 10}
    call = await read_call(body, offered=OFFERED, endpoint=Endpoint.COMPLETIONS)
    assert call.reserved_tokens == 4 + 2 * 3 * 10


async def test_an_embedding_reserves_its_input_alone() -> None:
    call = await read_call(
        {"input": ["xxxx", "yyyy"], "model": "embedder"}, offered=OFFERED, endpoint=Endpoint.EMBEDDINGS
    )
    assert (call.prompt_tokens, call.reserved_tokens) == (4, 4)
    assert not call.streams
    assert not call.wants_usage


@pytest.mark.parametrize(("characters", "aside"), [(100, False), (300_000, True)])
async def test_a_large_body_is_checked_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, characters: int, aside: bool
) -> None:
    threads: list[int] = []

    def watched(raw: bytes) -> Json:
        threads.append(threading.get_ident())
        return parse_json(raw)

    monkeypatch.setattr("api.stages.read.parse_json", watched)
    body = {"messages": [{"role": "user", "content": "x" * characters}], "max_tokens": 10}
    call = await read_call(body, offered=OFFERED)
    assert call.body["messages"] == body["messages"]
    assert call.prompt_tokens == 4 + characters // 4 + 1
    with pytest.raises(InvalidRequest) as refused:
        await read_call({**body, "n": 0}, offered=OFFERED)
    assert refused.value.param == "n"
    assert [thread != threading.get_ident() for thread in threads] == [aside, aside]


@pytest.mark.parametrize("param", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("tokens", [1001, 2**62, 2**80])
async def test_more_output_than_the_model_writes_is_refused(param: str, tokens: int) -> None:
    body = {"messages": CHAT["messages"], param: tokens}
    with pytest.raises(InvalidRequest, match="writes at most 1000 tokens") as refused:
        await read_call(body, offered=OFFERED)
    assert refused.value.param == param


async def test_what_the_client_wants_of_a_stream() -> None:
    plain = await read_call({**CHAT, "stream": True}, offered=OFFERED)
    counted = await read_call({**CHAT, "stream": True, "stream_options": {"include_usage": True}}, offered=OFFERED)
    assert (plain.streams, plain.wants_usage) == (True, False)
    assert (counted.streams, counted.wants_usage) == (True, True)


@pytest.mark.parametrize("field", [{}, {"session_id": None}])
async def test_a_request_that_names_no_session_has_none(field: Json) -> None:
    call = await read_call(CHAT | field, offered=OFFERED)
    assert call.session_id is None
    assert "session_id" not in call.body


async def test_the_session_is_for_the_gateway_alone() -> None:
    call = await read_call({**CHAT, "session_id": "sess_0123456789ab"}, offered=OFFERED)
    assert call.session_id == "sess_0123456789ab"
    assert "session_id" not in call.body


@pytest.mark.parametrize(("endpoint", "prompt"), [(Endpoint.COMPLETIONS, "prompt"), (Endpoint.EMBEDDINGS, "input")])
async def test_other_endpoints_have_no_sessions(endpoint: Endpoint, prompt: str) -> None:
    body = {prompt: "x", "model": "embedder" if endpoint is Endpoint.EMBEDDINGS else "fast"}
    with pytest.raises(InvalidRequest) as refused:
        await read_call({**body, "session_id": "sess_0123456789ab"}, offered=OFFERED, endpoint=endpoint)
    assert (refused.value.param, refused.value.code) == ("session_id", "invalid_value")
    call = await read_call({**body, "session_id": None}, offered=OFFERED, endpoint=endpoint)
    assert "session_id" not in call.body


@pytest.mark.parametrize(
    ("changes", "room"),
    [({}, 4096 - 10), ({"n": 3}, 4096 - 10), ({"max_tokens": 1000}, 3096), ({"max_tokens": None}, 4096 - 50)],
)
async def test_how_much_of_the_context_a_prompt_may_take(changes: Json, room: int) -> None:
    call = await read_call(CHAT | changes, offered=OFFERED)
    assert call.prompt_room == room
