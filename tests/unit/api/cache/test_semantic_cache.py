"""Calls through the whole pipeline: who gets a stored answer, and who the engine's."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from api.cache.types import CacheStatus, PurgeRequest
from api.errors import ApiError, InvalidRequest
from serving.catalogue.base import Model, Price
from serving.errors import BackendInterrupted, BackendRejected, BackendUnavailable
from serving.types import Endpoint, Json
from tests.unit.api.cache.cached_house import Q3, Q4, SAME_AS_Q3, USAGE, CachedHouse, asked

NO_CACHE = ((b"cache-control", b"no-cache"),)
NO_STORE = ((b"cache-control", b"no-store"),)
ECHO = f"fast-1 was asked: {Q3}"


@pytest.fixture
async def house() -> CachedHouse:
    return CachedHouse()


def corpus(version: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-corpus-version", version),)


@pytest.mark.parametrize("second", [{}, {"stream": True}])
@pytest.mark.parametrize("first", [{}, {"stream": True}])
async def test_the_same_request_again_gets_the_same_answer_in_its_own_form(
    house: CachedHouse, first: Json, second: Json
) -> None:
    one, other = await house.ask(asked(**first)), await house.ask(asked(**second))
    assert (one.status, other.status) == (CacheStatus.MISS, CacheStatus.EXACT)
    assert one.text == other.text == ECHO
    assert one.usage == other.usage == USAGE
    assert (one.upstream, other.upstream) == ("fast-1", "cache")
    assert other.id != one.id
    assert len(house.engine.requests) == house.engine.closed == 1
    assert house.holds_nothing


async def test_a_hit_costs_no_tokens_and_counts_as_a_request(house: CachedHouse) -> None:
    await house.ask()
    hit = await house.ask()
    _, again = house.ledger.rows
    assert (again.cache_tier, again.upstream, again.cost_usd, again.prompt_tokens) == ("exact", "", Decimal(0), 0)
    assert (again.saved_tokens, again.saved_usd) == (10, Decimal("0.000037"))
    assert [used for _, used in house.limiter.settled] == [10, 0]
    assert hit.call.billed_usage() is None
    assert house.counted("gateway_cache_lookups_total", status="exact", model="fast") == 1
    assert house.counted("gateway_cache_saved_tokens_total", tenant="finsight", kind="prompt") == 7
    assert house.counted("gateway_cache_saved_tokens_total", tenant="finsight", kind="completion") == 3
    assert house.counted("gateway_cache_saved_usd_total", tenant="finsight") == pytest.approx(3.7e-5)
    assert house.counted("gateway_cache_lookup_seconds_count", status="exact") == 1


async def test_a_hit_saves_what_the_price_list_says_and_not_the_models_file() -> None:
    class PriceList:
        def price_of(self, model: Model, at: datetime) -> Price:  # noqa: ARG002 - the same for all
            return Price(prefill=100.0, decode=1000.0, cached=10.0)

    house = CachedHouse(prices=PriceList())
    await house.ask()
    await house.ask()
    engines, again = house.ledger.rows
    assert again.saved_usd == engines.cost_usd == Decimal("0.0037")


async def test_the_same_meaning_gets_the_answer_and_another_quarter_does_not(house: CachedHouse) -> None:
    await house.ask()
    assert (await house.ask(asked(SAME_AS_Q3))).status is CacheStatus.CANONICAL
    other = await house.ask(asked(Q4))
    assert (other.status, other.text) == (CacheStatus.MISS, f"fast-1 was asked: {Q4}")


async def test_what_is_near_is_guarded(house: CachedHouse) -> None:
    """The index here says of all questions that they are near; only the guard tells them apart."""
    await house.ask()
    for wrong in (Q4, "What was Apple's net income in Q3 2024?", "What was Microsoft's revenue in Q3 2024?"):
        found = await house.ask(asked(wrong))
        assert found.status is CacheStatus.MISS
        assert found.text.endswith(wrong)


async def test_a_hit_by_nearness_is_counted_for_its_entry(house: CachedHouse) -> None:
    """Its canonical key was made by other rules, so that only nearness can find it."""
    await house.ask()
    [entry] = house.store.entries.values()
    house.store.entries[entry.id] = structs.replace(entry, canonical_key="f" * 40)
    hit = await house.ask(asked(SAME_AS_Q3))
    assert (hit.status, hit.text) == (CacheStatus.SEMANTIC, ECHO)
    assert house.store.hits == [entry.id]
    assert house.store.leases == {}
    assert hit.call.cache_age_s == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.1},
        {"max_tokens": 7},
        {"seed": 1},
        {"response_format": {"type": "json_object"}},
        {"x": 1},
        {"model": "slow"},
        {"model": "some-other"},
        {"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": Q3}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": Q3}]},
    ],
)
async def test_whatever_else_differs_keeps_two_requests_apart(house: CachedHouse, change: Json) -> None:
    await house.ask()
    assert (await house.ask(asked(**change))).status is CacheStatus.MISS


async def test_another_tenant_never_gets_it_and_another_key_of_the_tenant_does(house: CachedHouse) -> None:
    await house.ask()
    assert (await house.ask(key="key-3")).status is CacheStatus.MISS
    assert (await house.ask(key="key-2")).status is CacheStatus.EXACT


async def test_plain_completions_have_every_tier(house: CachedHouse) -> None:
    for prompt, status in ((Q3, CacheStatus.MISS), (Q3, CacheStatus.EXACT), (SAME_AS_Q3, CacheStatus.CANONICAL)):
        found = await house.ask({"prompt": prompt, "temperature": 0}, endpoint=Endpoint.COMPLETIONS)
        assert (found.status, found.text) == (status, ECHO)
    assert (await house.ask()).status is CacheStatus.MISS, "a chat is another route"


async def test_who_asks_of_his_own_shares_with_himself(house: CachedHouse) -> None:
    mine = "What is my account's revenue for Q3 2024?"
    statuses = [
        (await house.ask(asked(mine, **({"user": user} if user else {})), key=key)).status
        for user, key in (
            ("", "key-1"),
            ("", "key-2"),
            ("", "key-1"),
            ("eve", "key-1"),
            ("eve", "key-2"),
            ("bob", "key-1"),
        )
    ]
    miss, exact = CacheStatus.MISS, CacheStatus.EXACT
    assert statuses == [miss, miss, exact, miss, exact, miss]


async def test_a_question_that_leans_on_earlier_ones_is_exact_only(house: CachedHouse) -> None:
    turns = [{"role": "user", "content": Q3}, {"role": "assistant", "content": "90 bn"}]
    follow_up = {"messages": [*turns, {"role": "user", "content": "What about Q4?"}], "temperature": 0}
    assert (await house.ask(follow_up)).status is CacheStatus.MISS
    assert (await house.ask(follow_up)).status is CacheStatus.EXACT
    [entry] = house.store.entries.values()
    assert (entry.canonical_key, entry.slots) == (None, None)
    assert house.index.refs == []


async def test_a_question_that_stands_alone_is_understood_after_other_turns(house: CachedHouse) -> None:
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]
    for question, status in ((Q3, CacheStatus.MISS), (SAME_AS_Q3, CacheStatus.CANONICAL)):
        body = {"messages": [*turns, {"role": "user", "content": question}], "temperature": 0}
        assert (await house.ask(body)).status is status
    changed = [{"role": "user", "content": "Hello."}, turns[1], {"role": "user", "content": Q3}]
    assert (await house.ask({"messages": changed, "temperature": 0})).status is CacheStatus.MISS


@pytest.mark.parametrize(
    "body",
    [
        asked(tools=[{"type": "function", "function": {"name": "f"}}]),
        asked("word " * 300),
        asked(messages=[{"role": "user", "content": Q3}, {"role": "assistant", "content": "Apple's"}]),
    ],
)
async def test_exact_only(house: CachedHouse, body: Json) -> None:
    assert (await house.ask(body)).status is CacheStatus.MISS
    assert (await house.ask(body)).status is CacheStatus.EXACT
    assert house.embedder.texts == []
    assert all(entry.slots is None for entry in house.store.entries.values())


async def test_directives(house: CachedHouse) -> None:
    assert (await house.ask(headers=NO_STORE)).status is CacheStatus.MISS
    assert house.store.entries == {}
    both = await house.ask(headers=(*NO_CACHE, *NO_STORE))
    assert (both.status, both.call.cache_reason) == (CacheStatus.BYPASS, "directives")
    assert house.store.asked[1:] == [], "nobody was asked"
    assert (await house.ask(headers=NO_CACHE)).status is CacheStatus.BYPASS
    assert house.store.asked[1:] == [], "no answer was fetched that nobody would get"
    assert len(house.store.entries) == 1
    assert (await house.ask(headers=NO_STORE)).status is CacheStatus.EXACT
    house.engine.requests.clear()
    assert (await house.ask(headers=NO_CACHE)).status is CacheStatus.BYPASS
    assert len(house.engine.requests) == 1


async def test_a_corpus_version_keeps_answers_apart_and_tags_them(house: CachedHouse) -> None:
    statuses = [(await house.ask(headers=corpus(version))).status for version in (b"1", b"2", b"1")]
    assert statuses == [CacheStatus.MISS, CacheStatus.MISS, CacheStatus.EXACT]
    assert (await house.ask()).status is CacheStatus.MISS
    tags = {tag for entry in house.store.entries.values() for tag in entry.tags}
    assert {"corpus:1", "corpus:2", "model:fast", "entity:apple", "period:Q3-2024"} <= tags


async def test_a_corpus_version_that_cannot_be_one_is_refused(house: CachedHouse) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await house.ask(headers=corpus(b"two words"))
    assert refused.value.param == "X-Corpus-Version"
    assert house.holds_nothing


async def test_sampled_answers_are_shared_on_request(house: CachedHouse) -> None:
    hot = asked(temperature=1.0)
    assert (await house.ask(hot)).status is CacheStatus.BYPASS
    sampled = ((b"x-cache-sampled", b"true"),)
    assert (await house.ask(hot, headers=sampled)).status is CacheStatus.MISS
    assert (await house.ask(hot, headers=sampled)).status is CacheStatus.EXACT
    assert (await house.ask(hot)).status is CacheStatus.BYPASS


async def test_time_goes_over_an_answer_however_often_it_is_read(house: CachedHouse) -> None:
    now = "What is the current price of AAPL?"
    await house.ask(asked(now))
    await house.ask()
    for _ in range(299):
        house.clock.now_s += 1
        assert (await house.ask(asked(now))).status is CacheStatus.EXACT
    house.clock.now_s += 1
    assert (await house.ask(asked(now))).status is CacheStatus.MISS
    hit = await house.ask()
    assert (hit.status, hit.call.cache_age_s) == (CacheStatus.EXACT, 300.0)
    house.clock.now_s += 86_400 - 300
    assert (await house.ask()).status is CacheStatus.MISS


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reason", ["length", "tool_calls", "content_filter"])
async def test_what_did_not_end_by_itself_is_not_stored(house: CachedHouse, reason: str, stream: bool) -> None:
    house.engine.finish_reason = reason
    for _ in range(2):
        assert (await house.ask(asked(stream=stream))).status is CacheStatus.MISS
    assert house.store.entries == {}
    assert house.counted("gateway_cache_stores_total", outcome="finish_reason") == 2


async def test_a_stream_that_is_left_or_breaks_off_is_not_stored(house: CachedHouse) -> None:
    await house.ask(asked(stream=True), leave=True)
    house.engine.breaks_off = BackendInterrupted("cut", upstream="fast-1")
    with pytest.raises(BackendInterrupted):
        await house.ask(asked(stream=True))
    await house.settle()
    assert house.store.entries == {}
    assert house.holds_nothing


@pytest.mark.parametrize(
    "error",
    [
        BackendRejected("no", upstream="fast-1", status=400, error={}),
        BackendUnavailable("gone", upstream="fast-1"),
    ],
)
async def test_errors_are_not_stored(house: CachedHouse, error: Any) -> None:
    house.engine.error = house.stand_in.error = error
    with pytest.raises(ApiError):
        await house.ask()
    await house.settle()
    assert house.store.entries == {}
    assert house.holds_nothing


async def test_a_stand_ins_answer_is_not_stored_as_the_asked_models(house: CachedHouse) -> None:
    house.engine.error = BackendUnavailable("gone", upstream="fast-1")
    assert (await house.ask()).text.startswith("slow-1")
    house.engine.error = None
    again = await house.ask()
    assert (again.status, again.text) == (CacheStatus.MISS, ECHO)


async def test_an_answer_under_way_is_not_stored_after_a_purge(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    asking = asyncio.create_task(house.ask())
    await house.settle()
    await house.store.purge(house.digests.tenant("finsight"), PurgeRequest())
    house.engine.may_answer.set()
    assert (await asking).text == ECHO
    assert house.store.entries == {}
    assert house.counted("gateway_cache_stores_total", outcome="purged") == 1


async def test_embeddings_pass_by(house: CachedHouse) -> None:
    found = await house.ask({"input": "x", "model": "some-embedding"}, endpoint=Endpoint.EMBEDDINGS)
    assert (found.status, found.call.cache_reason) == (CacheStatus.BYPASS, "embeddings")
