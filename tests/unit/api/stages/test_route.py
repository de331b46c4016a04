"""Which upstream answers, in which order they are asked, and when nobody else is."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from api.call import Call
from api.errors import ApiError
from observability.metrics import Metrics
from serving.catalogue.base import Catalogue
from serving.errors import (
    BackendError,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from serving.types import EngineRequest, Json, Reply
from tests.unit.api.fakes import CHAT, MemoryBackend, catalogue, model, read_call, router, upstream

GONE = BackendUnavailable("gone", upstream="x")
OK: Json = {"choices": []}


def one_by_one(*upstreams: str) -> Catalogue:
    return catalogue(model("fast", *(upstream(name) for name in upstreams)))


async def asked(offered: Catalogue, name: str | None = None) -> Call:
    return await read_call(CHAT if name is None else {**CHAT, "model": name}, offered=offered)


async def test_the_first_that_answers_is_it() -> None:
    offered = one_by_one("a")
    backend = MemoryBackend("a", OK)
    call = await asked(offered)
    reply = await router(offered, [backend]).open(call)
    assert call.reply is reply
    assert call.served_model is call.model
    [request] = backend.requests
    assert (request.body, request.request_id, request.stream) == (call.body, "req-1", False)


async def test_the_engine_is_told_how_many_choices_make_a_whole_answer() -> None:
    offered, backend = one_by_one("a"), MemoryBackend("a", OK)
    await router(offered, [backend]).open(await read_call({**CHAT, "n": 3}, offered=offered))
    assert backend.requests[0].choices == 3


@pytest.mark.parametrize(
    "failure",
    [
        GONE,
        BackendTimeout("late", upstream="x"),
        BackendOverloaded("busy", upstream="x"),
        BackendProtocolError("odd", upstream="x"),
    ],
)
async def test_a_failure_that_another_may_not_have_is_passed_on_to_the_others_in_order(failure: BackendError) -> None:
    offered = one_by_one("a", "b", "c")
    backends = [MemoryBackend(name, failure) for name in "ab"] + [MemoryBackend("c", OK)]
    metrics = Metrics()
    for seed in range(20):
        reply = await router(offered, backends, metrics=metrics, seed=seed).open(await asked(offered))
        assert reply.upstream == "c"
    text = metrics.exposition().decode()
    assert f'gateway_upstream_attempts_total{{outcome="{type(failure).__name__}",upstream="a"}}' in text
    assert 'gateway_upstream_attempts_total{outcome="ok",upstream="c"} 20.0' in text


async def test_after_the_one_that_was_drawn_the_others_follow_in_the_catalogues_order() -> None:
    offered = one_by_one("a", "b", "c")
    orders = set()
    for seed in range(60):
        order: list[str] = []
        backends = [Noting(name, order) for name in "abc"]
        with pytest.raises(ApiError):
            await router(offered, backends, seed=seed).open(await asked(offered))
        orders.add("".join(order))
    assert orders == {"abc", "bac", "cab"}


class Noting(MemoryBackend):
    def __init__(self, name: str, order: list[str]) -> None:
        super().__init__(name, GONE)
        self._order = order

    async def open(self, request: EngineRequest) -> Reply:
        self._order.append(self.name)
        return await super().open(request)


async def test_an_engine_s_time_ends_before_the_call_s() -> None:
    offered, backend = one_by_one("a"), MemoryBackend("a", OK)
    call = await asked(offered)
    call.deadline_s = 1000.0
    await router(offered, [backend]).open(call)
    assert 999 < backend.requests[0].deadline_s < 1000


async def test_nobody_is_asked_when_the_call_s_time_is_over() -> None:
    offered = one_by_one("a", "b")
    backends = [MemoryBackend(name, BackendTimeout("late", upstream="x")) for name in "ab"]
    call = await asked(offered)
    call.deadline_s = asyncio.get_running_loop().time()
    with pytest.raises(ApiError) as caught:
        await router(offered, backends).open(call)
    assert caught.value.status == 504
    assert call.abandoned is None, "it is not billed as work for a client that left"
    assert sum(len(backend.requests) for backend in backends) == 1


async def test_traffic_is_shared_by_weight() -> None:
    offered = catalogue(model("fast", upstream("a", weight=8), upstream("b", weight=2)))
    backends = [MemoryBackend(name, OK) for name in "ab"]
    shared = router(offered, backends)
    shares = Counter([(await shared.open(await asked(offered))).upstream for _ in range(2000)])
    assert shares["a"] / 2000 == pytest.approx(0.8, abs=0.05)  # the dice are seeded


async def test_fallbacks_answer_under_their_own_name_when_all_of_the_models_own_have_failed() -> None:
    offered = catalogue(
        model("fast", upstream("a"), upstream("b"), fallbacks=("slow",)),
        model("slow", upstream("c"), fallbacks=("last",)),
        model("last", upstream("d")),
    )
    backends = [MemoryBackend(name, GONE) for name in "abc"] + [MemoryBackend("d", OK)]
    call = await asked(offered, "fast")
    reply = await router(offered, backends).open(call)
    assert reply.upstream == "d"
    assert call.served_model is not None
    assert (call.served_model.name, call.public_model, call.model.name) == ("last", "last", "fast")
    assert [len(backend.requests) for backend in backends] == [1, 1, 1, 1]


async def test_a_forwarded_model_keeps_the_clients_name() -> None:
    offered = catalogue(model("fast", upstream("a")), model("*", upstream("b")))
    call = await asked(offered, "whatever")
    await router(offered, [MemoryBackend("a", GONE), MemoryBackend("b", OK)]).open(call)
    assert call.public_model == "whatever"


async def test_a_request_that_is_itself_at_fault_is_shown_to_nobody_else() -> None:
    offered = one_by_one("a", "b")
    refusal = BackendRejected("no", upstream="x", status=422, error={"message": "too long", "param": "messages"})
    backends = [MemoryBackend(name, refusal) for name in "ab"]
    with pytest.raises(ApiError) as caught:
        await router(offered, backends).open(await asked(offered))
    assert (caught.value.status, caught.value.message, caught.value.param) == (422, "too long", "messages")
    assert sum(len(backend.requests) for backend in backends) == 1


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (GONE, 503, "server_is_overloaded"),
        (BackendOverloaded("busy", upstream="x", retry_after_s=9.2), 503, "server_is_overloaded"),
        (BackendTimeout("late", upstream="x"), 504, "upstream_timeout"),
    ],
)
async def test_when_all_fail_the_client_is_told_why_the_last_did(failure: BackendError, status: int, code: str) -> None:
    offered = one_by_one("a")
    call = await asked(offered)
    with pytest.raises(ApiError) as caught:
        await router(offered, [MemoryBackend("a", failure)]).open(call)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert call.reply is None
