"""Who gets a place, and that it is given back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.call import Caller
from api.errors import Overloaded, RateLimited
from api.stages.admit import Admission
from observability.metrics import Metrics
from resilience.limiter.base import Window, WindowKind
from serving.types import Held, Usage, WholeReply
from tests.unit.api.fakes import CHAT, QUOTA, MemoryLimiter, catalogue, model, read_call

OFFERED = catalogue(model("fast"))


def admission(limiter: MemoryLimiter, *, max_in_flight: int = 2) -> Admission:
    return Admission(limiter=limiter, metrics=Metrics(), max_in_flight=max_in_flight)


@pytest.mark.parametrize(
    ("usage", "settled"),
    [(Usage(prompt_tokens=3, completion_tokens=4, cached_tokens=2), 7), (None, None)],
)
async def test_what_was_reserved_is_settled_with_what_was_used(usage: Usage | None, settled: int | None) -> None:
    limiter, held = MemoryLimiter(), Held()
    call = await read_call(offered=OFFERED)
    await admission(limiter).admit(call, held)
    assert [one.tokens for one in limiter.open] == [call.reserved_tokens]
    assert limiter.open[0].windows == call.caller.windows
    call.reply = WholeReply(upstream="near", body={}, usage=usage)
    held.release()
    [(_, used)] = limiter.settled
    assert used == (call.prompt_tokens if settled is None else settled)


async def test_a_call_that_no_engine_answered_gets_all_its_tokens_back() -> None:
    limiter, held = MemoryLimiter(), Held()
    await admission(limiter).admit(await read_call(offered=OFFERED), held)
    held.release()
    assert [used for _, used in limiter.settled] == [0]


async def test_a_full_worker_says_so_before_anything_is_read_or_spent() -> None:
    limiter, held = MemoryLimiter(), Held()
    door = admission(limiter, max_in_flight=1)
    door.enter("one", held)
    with pytest.raises(Overloaded) as refused:
        door.enter("another", Held())
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    assert limiter.journal.entries == []
    assert door.in_flight == 1
    held.release()
    assert door.in_flight == 0


async def test_a_tenant_that_floods_a_worker_leaves_room_for_others() -> None:
    metrics, crowd, newcomer = Metrics(), Held(), Held()
    door = Admission(limiter=MemoryLimiter(), metrics=metrics, max_in_flight=10, tenant_share=0.8)
    for _ in range(8):
        door.enter("loud", crowd)
    with pytest.raises(Overloaded, match="of this tenant") as refused:
        door.enter("loud", crowd)
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    for _ in range(2):
        door.enter("quiet", newcomer)
    with pytest.raises(Overloaded, match="as many requests as it can"):
        door.enter("quiet", newcomer)
    assert metrics.totals("gateway_places_refused", by="whose") == {"tenant": 1.0, "worker": 1.0}
    crowd.release()
    newcomer.release()
    assert door.in_flight == 0


@pytest.mark.parametrize("limit", ["requests", "tokens"])
async def test_a_refusal_names_the_limit_and_when_to_come_back(limit: str) -> None:
    limiter, held = MemoryLimiter(refuse=limit), Held()  # type: ignore[arg-type]  # one of the two literals
    door = admission(limiter)
    call = await read_call(offered=OFFERED)
    with pytest.raises(RateLimited) as refused:
        await door.admit(call, held)
    body = refused.value.body()["error"]
    assert (refused.value.status, body["type"], body["code"]) == (429, limit, "rate_limit_exceeded")
    unit, allowed, requested = {
        "requests": ("requests per min (RPM)", 100, 1),
        "tokens": ("tokens per min (TPM)", 10_000, call.reserved_tokens),
    }[limit]
    assert body["message"] == (
        f"Rate limit reached for this API key on {unit}: Limit {allowed}, Requested {requested}. "
        "Please try again in 2.5s."
    )
    headers = dict(refused.value.headers)
    assert headers[b"retry-after"] == b"3"
    assert headers[b"retry-after-ms"] == b"2500"
    assert headers[b"x-ratelimit-limit-requests"] == b"100"
    held.release()
    assert door.in_flight == 0
    assert limiter.settled == []
    assert call.limits is not None


async def test_a_request_that_no_window_can_hold_should_not_be_tried_again() -> None:
    held = Held()
    with pytest.raises(RateLimited) as refused:
        await admission(MemoryLimiter(impossible=True)).admit(await read_call(CHAT, offered=OFFERED), held)
    headers = dict(refused.value.headers)
    assert headers[b"x-should-retry"] == b"false"
    assert b"retry-after" not in headers
    assert "Request too large for this API key on tokens per min (TPM): Limit 10000, Req" in refused.value.message
    held.release()


KEY_WINDOW, TENANT_WINDOW, MODEL_WINDOW, ANY_WINDOW = (
    Window(name, QUOTA, kind)
    for name, kind in [
        ("k", WindowKind.KEY),
        ("t", WindowKind.TENANT),
        ("m", WindowKind.MODEL),
        ("*", WindowKind.MODEL),
    ]
)
LIMITED = Caller(
    tenant="finsight",
    key_id="k",
    windows=(KEY_WINDOW, TENANT_WINDOW),
    model_windows={"fast": (MODEL_WINDOW,), "*": (ANY_WINDOW,)},
)


@pytest.mark.parametrize(
    ("asked", "windows"),
    [
        ("fast", (KEY_WINDOW, TENANT_WINDOW, MODEL_WINDOW)),
        ("fast-alias", (KEY_WINDOW, TENANT_WINDOW, MODEL_WINDOW)),
        ("accurate", (KEY_WINDOW, TENANT_WINDOW)),
        ("whatever-the-upstream-has", (KEY_WINDOW, TENANT_WINDOW, ANY_WINDOW)),
    ],
)
async def test_a_call_counts_for_its_key_its_tenant_and_its_model(asked: str, windows: tuple[Window, ...]) -> None:
    limiter, held = MemoryLimiter(), Held()
    call = await read_call({**CHAT, "model": asked}, offered=catalogue(model("fast"), model("accurate"), model("*")))
    call.caller = LIMITED
    await admission(limiter).admit(call, held)
    assert [one.windows for one in limiter.open] == [windows]
    held.release()


async def test_what_no_engine_has_a_part_in_counts_for_no_model() -> None:
    limiter = MemoryLimiter()
    await admission(limiter).spend(LIMITED, 7)
    [(reservation, used)] = limiter.settled
    assert (reservation.windows, used) == (LIMITED.windows, 7)


@pytest.mark.parametrize(
    ("window", "whose"),
    [
        (KEY_WINDOW, "this API key"),
        (TENANT_WINDOW, "tenant finsight"),
        (MODEL_WINDOW, "model fast in tenant finsight"),
    ],
)
@pytest.mark.parametrize("impossible", [False, True])
async def test_a_refusal_says_whose_window_has_no_room(window: Window, whose: str, impossible: bool) -> None:
    metrics, call = Metrics(), await read_call(CHAT, offered=OFFERED)
    call.caller = replace(LIMITED, windows=(window,), model_windows={})
    limiter = MemoryLimiter(refuse="tokens", impossible=impossible)
    door = Admission(limiter=limiter, metrics=metrics, max_in_flight=2)
    with pytest.raises(RateLimited, match=f" for {whose} on tokens per min"):
        await door.admit(call, Held())
    assert metrics.totals("gateway_rate_limited", by="window") == {window.kind.value: 1.0}
