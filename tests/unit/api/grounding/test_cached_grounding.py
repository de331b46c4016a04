"""Answers from documents and the cache: which are shared, which are served when nothing else can be, which are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.cache.types import CacheStatus
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter
from tests.unit.api.cache.cached_house import Answer
from tests.unit.api.grounding.grounded_house import PASSAGES, QUESTION, SENTENCE, GroundedHouse, conversation
from tests.unit.api.grounding.test_grounded_answers import citations, content, headers

SAME = "aldermoor revenue q3 2024"
FOLLOW_UP, COMPLETE = "And in Q4?", "What was Aldermoor's revenue in Q4 2024?"


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


async def test_what_a_session_alone_tells_of_a_question_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that has no room in the prompt still says which passages "Why?" is about."""
    house = GroundedHouse()
    rewriter = RuleRewriter(load_glossary())
    monkeypatch.setattr(house.retriever, "understand", lambda _, question, earlier: rewriter.rewrite(question, earlier))

    async def asked(question: str, *earlier: str) -> Any:
        call: Any = (await house.asked()).call
        call.body, call.earlier_questions = {"messages": conversation(question)}, earlier
        await house.pipeline.grounding.prepare(call)
        return call.asked

    other = "What was Boreal's revenue in Q3 2024?"
    assert await asked("Why?") != await asked("Why?", QUESTION) != await asked("Why?", other)
    assert await asked(COMPLETE) == await asked(FOLLOW_UP, QUESTION) == await asked(COMPLETE, other)


async def test_without_a_cache_the_engine_sees_the_conversation() -> None:
    house = GroundedHouse(with_cache=False)
    await house.asked(messages=conversation(QUESTION, "It was $412.6 million.", COMPLETE))
    assert len(house.reading.requests[0].body["messages"]) == 4


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
