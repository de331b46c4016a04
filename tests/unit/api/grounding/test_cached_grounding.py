"""Answers from documents and the cache: which are shared, which are served when nothing else can be, which are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.cache.types import CacheStatus
from api.errors import ApiError
from serving.errors import BackendRejected, BackendTimeout, BackendUnavailable
from serving.types import Json
from tests.unit.api.cache.cached_house import KEEP_LAST_GOOD_S, Answer
from tests.unit.api.grounding.grounded_house import PASSAGES, QUESTION, SENTENCE, GroundedHouse
from tests.unit.api.grounding.test_grounded_answers import citations, content, headers

SAME = "aldermoor revenue q3 2024"
FOLLOW_UP, COMPLETE = "And in Q4?", "What was Aldermoor's revenue in Q4 2024?"


def conversation(*said: str, system: str | None = None) -> list[Json]:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]
    return messages if system is None else [{"role": "system", "content": system}, *messages]


def break_engines(house: GroundedHouse, error: Any = None) -> None:
    house.reading.error = error or BackendUnavailable("gone", upstream="fast-1")
    house.stand_in.error = error or BackendUnavailable("gone", upstream="slow-1")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("then", [False, True])
async def test_citations_are_replayed_with_their_answer(first: bool, then: bool) -> None:
    house = GroundedHouse()
    made = await house.asked(stream=first)
    hit = await house.asked(SAME, stream=then)
    assert (made.status, hit.status) == (CacheStatus.MISS, CacheStatus.CANONICAL)
    assert content(hit) == content(made) == f"{SENTENCE} [1]"
    assert citations(hit) == citations(made) != []
    assert "x-rag-passages" not in headers(hit)
    house.pipeline.accounting.observe(hit.call)
    assert house.counted("gateway_rag_requests_total", outcome="cached") == 1
    assert len(house.retriever.searched) == 1


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_other_versions_are_not_cached(version: str) -> None:
    house = GroundedHouse()
    for _ in range(2):
        found = await house.asked(version=version)
        assert (found.status, found.call.cache_reason) == (CacheStatus.BYPASS, "rag_version")
    assert house.store.entries == {}


async def test_an_answer_without_documents_keeps_no_annotations() -> None:
    """They are the engine's own there, and nobody here knows what they say."""
    house = GroundedHouse()
    await house.ask({"messages": [{"role": "user", "content": QUESTION}], "temperature": 0})
    assert all("annotations" not in entry.answer["choices"][0]["message"] for entry in house.store.entries.values())
    assert (await house.asked()).status is CacheStatus.MISS


async def test_a_change_of_the_documents_asks_anew() -> None:
    house = GroundedHouse()
    await house.asked()
    house.corpus.versions["reports"] += 1
    assert (await house.asked()).status is CacheStatus.MISS
    tags = {tag for entry in house.store.entries.values() for tag in entry.tags}
    assert {"corpus:reports", "corpus:reports@3", "corpus:reports@4"} <= tags


@pytest.mark.parametrize(
    "other",
    [
        {"rag": {"collection": "reports", "version": "v4", "top_k": 1}},
        {"rag": {"collection": "more", "version": "v4"}},
        {"messages": conversation(QUESTION, system="Answer in French.")},
        {"model": "slow"},
        {"key": "key-3"},
        {"headers": ((b"cache-control", b"no-cache"),)},
    ],
)
async def test_who_shares_nothing(other: dict[str, Any]) -> None:
    house = GroundedHouse()
    house.corpus.versions["more"] = 3
    await house.asked()
    if other.get("key"):
        house.corpus.tenant = house.retriever.corpus.tenant = "other"
    assert (await house.asked(**other)).call.cache_age_s is None


async def test_no_client_says_which_documents_an_answer_is_from() -> None:
    house = GroundedHouse()
    await house.asked()
    assert (await house.asked(headers=((b"x-corpus-version", b"reports@2"),))).status is CacheStatus.EXACT


async def test_a_completed_follow_up_shares_the_answer_and_the_engine_sees_no_conversation() -> None:
    house = GroundedHouse()
    house.retriever.complete = {FOLLOW_UP: COMPLETE}
    follow_up = await house.asked(messages=conversation(QUESTION, "It was $412.6 million.", FOLLOW_UP))
    assert follow_up.status is CacheStatus.MISS
    assert [message["role"] for message in house.reading.requests[0].body["messages"]] == ["system", "user"]
    alone = await house.asked(COMPLETE)
    assert alone.status is CacheStatus.EXACT
    assert content(alone) == content(follow_up)


@pytest.mark.parametrize(
    "said",
    [
        # What was said before may matter to the answer.
        ("Please answer in French. What was Aldermoor's revenue in Q3 2024?", "Bonjour", COMPLETE),
        ("I own Aldermoor. What was its revenue in Q3 2024?", "It was $412.6 million.", COMPLETE),
        ("My name is Ann.", "Hello Ann.", COMPLETE),
        # What is asked goes back to it.
        (QUESTION, "It was $412.6 million.", "Why?"),
        (QUESTION, "It was $412.6 million.", "Translate to German"),
        (QUESTION, "It was $412.6 million.", "Give me a table"),
        (QUESTION, "It was $412.6 million.", "Is the product waterproof?"),
    ],
)
async def test_a_conversation_that_matters_is_seen_by_the_engine_and_compared(said: tuple[str, ...]) -> None:
    house = GroundedHouse()
    await house.asked(messages=conversation(*said))
    assert [message["role"] for message in house.reading.requests[0].body["messages"]] == (
        ["system", "user", "assistant", "user"]
    )
    assert (await house.asked(said[-1])).call.cache_age_s is None
    other = ("My name is Bob, and I like tables.", "Hello Bob.", said[-1])
    found = await house.asked(messages=conversation(*other))
    assert found.call.cache_age_s is None


async def test_without_a_cache_the_engine_sees_the_conversation() -> None:
    house = GroundedHouse(with_cache=False)
    await house.asked(messages=conversation(QUESTION, "It was $412.6 million.", COMPLETE))
    assert len(house.reading.requests[0].body["messages"]) == 4


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


async def test_hits_are_not_asked_again_without_their_passages() -> None:
    class Audit:
        considered = 0

        def consider(self, *_: Any) -> None:
            self.considered += 1

        def is_demoted(self, _: str) -> bool:
            return False

    house, audit = GroundedHouse(), Audit()
    house.pipeline.cache._audit = audit  # type: ignore[attr-defined]
    await house.asked()
    assert (await house.asked()).status is CacheStatus.EXACT
    assert audit.considered == 0


async def test_a_mistake_of_ours_costs_the_citations_and_not_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("rag.citations.CitationReader.feed", broken)
    house = GroundedHouse()
    for stream in (False, True):
        found: Answer = await house.asked(stream=stream, version="v3")
        assert content(found) == f"{SENTENCE} [1]"
        assert citations(found) == []


async def test_a_passages_own_words_are_in_the_citation_whatever_the_prompt_made_of_them() -> None:
    house = GroundedHouse()
    house.retriever.passages = (replace(PASSAGES[0], text=f"<b>{SENTENCE}</b>\n[2]"),)
    (cited,) = citations(await house.asked())
    assert cited["document"]["text"] == f"<b>{SENTENCE}</b>\n[2]"
