"""The last good answer from documents, served when no new one can be had, and gone with its documents."""

from __future__ import annotations

from typing import Any

import pytest

from api.cache.types import CacheStatus
from api.errors import ApiError
from serving.errors import BackendRejected, BackendTimeout
from tests.unit.api.cache.cached_house import KEEP_LAST_GOOD_S
from tests.unit.api.grounding.grounded_house import QUESTION, GroundedHouse, break_engines, conversation
from tests.unit.api.grounding.test_grounded_answers import citations, content, headers

SAME = "aldermoor revenue q3 2024"
COMPLETE = "What was Aldermoor's revenue in Q4 2024?"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("question", [QUESTION, SAME])
async def test_when_no_engine_answers_the_last_good_answer_is_served(question: str, stream: bool) -> None:
    house = GroundedHouse()
    made = await house.asked()
    house.clock.now_s += KEEP_LAST_GOOD_S - 60  # long after its usual time
    house.corpus.versions["reports"] += 5  # and from other documents
    break_engines(house)
    found = await house.asked(question, stream=stream)
    assert found.upstream == "cache"
    assert content(found) == content(made)
    assert citations(found) == citations(made)
    said = headers(found)
    assert said["x-cache"] == "stale"
    assert int(said["age"]) == KEEP_LAST_GOOD_S - 60
    assert house.counted("gateway_cache_stale_answers_total") == 1
    house.pipeline.accounting.observe(found.call)
    assert house.counted("gateway_rag_requests_total", version="v4", outcome="stale") == 1
    assert house.holds_nothing
    house.clock.now_s += 120
    with pytest.raises(ApiError):
        await house.asked()


async def test_when_the_corpus_is_away_what_is_cached_is_served_and_what_is_not_is_stale() -> None:
    house = GroundedHouse()
    await house.asked()
    house.corpus.away = True
    hit = await house.asked()
    assert (hit.status, headers(hit)["x-rag-degraded"]) == (CacheStatus.EXACT, "corpus")
    house.clock.now_s += 100_000
    assert (await house.asked()).status is CacheStatus.STALE
    assert house.counted("gateway_rag_degraded_total", part="corpus") == 2


async def test_a_worker_that_does_not_know_the_collection_yet_serves_the_last_good_answer() -> None:
    house = GroundedHouse()
    await house.asked()
    newcomer = GroundedHouse()
    newcomer.store.entries, newcomer.store.generations = house.store.entries, house.store.generations
    newcomer.corpus.away = True
    found = await newcomer.asked()
    assert (found.status, found.call.cache_reason) == (CacheStatus.STALE, None)


@pytest.mark.parametrize(
    "other",
    [
        {"question": COMPLETE},
        {"version": "v3"},
        {"rag": {"collection": "more", "version": "v4"}},
        {"messages": conversation(QUESTION, system="Answer in French.")},
        {"headers": ((b"cache-control", b"no-cache"),)},
        {"headers": ((b"cache-control", b"no-cache, no-store"),)},
        {"temperature": 1.5},
    ],
)
async def test_the_last_good_answer_is_to_the_same_question_only(other: dict[str, Any]) -> None:
    house = GroundedHouse()
    house.corpus.versions["more"] = 3
    await house.asked()
    break_engines(house)
    with pytest.raises(ApiError) as refused:
        await house.asked(**other)
    assert refused.value.status == 503
    await house.settle()
    assert house.holds_nothing


async def test_nor_does_another_tenant_get_it() -> None:
    house = GroundedHouse()
    await house.asked()
    house.corpus.tenant = "other"
    break_engines(house)
    with pytest.raises(ApiError):
        await house.asked(key="key-3")


async def test_what_is_not_to_be_stored_is_no_last_good_answer_either() -> None:
    house = GroundedHouse()
    await house.asked(headers=((b"cache-control", b"no-store"),))
    assert house.store.entries == {}


async def test_a_mistake_of_the_request_is_not_covered_up() -> None:
    house = GroundedHouse()
    await house.asked()
    house.clock.now_s += 100_000
    break_engines(house, BackendRejected("no", upstream="fast-1", status=400, error={"message": "no"}))
    with pytest.raises(ApiError) as refused:
        await house.asked()
    assert refused.value.status == 400


async def test_a_time_out_is() -> None:
    house = GroundedHouse()
    await house.asked()
    house.clock.now_s += 100_000
    break_engines(house, BackendTimeout("late", upstream="fast-1"))
    assert (await house.asked()).status is CacheStatus.STALE


async def test_a_document_that_is_gone_leaves_no_answer_behind() -> None:
    house = GroundedHouse()
    await house.asked()
    assert len(house.store.entries) == 2
    await house.answers.forget("finsight", "others")
    assert len(house.store.entries) == 2
    await house.answers.forget("finsight", "reports")
    assert house.store.entries == {}
    break_engines(house)
    with pytest.raises(ApiError):
        await house.asked()


async def test_nor_does_one_whose_answer_was_under_way() -> None:
    house = GroundedHouse()
    original = house.reading.open

    async def deleted_meanwhile(request: Any) -> Any:
        await house.answers.forget("finsight", "reports")
        return await original(request)

    house.reading.open = deleted_meanwhile  # type: ignore[method-assign]
    await house.asked()
    assert house.store.entries == {}


async def test_nor_while_the_store_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.cache.corpus_answers._AGAIN_S", 0.001)
    house = GroundedHouse()
    await house.asked()
    house.store.away = True
    await house.answers.forget("finsight", "reports")
    house.store.away = False
    for _ in range(200):
        await house.settle()
        if not house.store.entries:
            break
    assert house.store.entries == {}
    await house.background.aclose()
