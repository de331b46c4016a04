"""Answers from documents through the whole pipeline: what the engine is asked, what the client gets."""

from __future__ import annotations

from typing import Any

import pytest

from api.answer_headers import answer_headers
from api.cache.types import CacheStatus
from api.errors import ApiError, Conflict, CorpusAway, NotFound
from rag.prompts import INSTRUCTION
from serving.errors import BackendUnavailable
from serving.types import Json, WholeReply
from tests.unit.api.cache.cached_house import Answer
from tests.unit.api.grounding.grounded_house import PASSAGES, QUESTION, SENTENCE, GroundedHouse

VERSIONS = ("v1", "v2", "v3", "v4")


def content(answer: Answer, index: int = 0) -> str:
    """As the client puts it together."""
    return "".join(part.get("content") or "" for part in parts(answer, index))


def citations(answer: Answer, index: int = 0) -> list[Json]:
    return [found for part in parts(answer, index) for found in part.get("annotations") or ()]


def parts(answer: Answer, index: int) -> list[Json]:
    choices = [choice for frame in answer.frames for choice in frame["choices"] if choice["index"] == index]
    return [choice.get("message") or choice.get("delta") or {} for choice in choices]


def headers(answer: Answer) -> dict[str, str]:
    found = answer_headers(answer.call, WholeReply(upstream=answer.upstream, body={}))
    return {name.decode(): value.decode() for name, value in found if name.startswith((b"x-rag", b"x-cache", b"age"))}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
async def test_an_answer_cites_the_passage_that_it_is_from(version: str, stream: bool) -> None:
    house = GroundedHouse()
    found = await house.asked(version=version, stream=stream)
    assert content(found) == f"{SENTENCE} [1]"
    (cited,) = citations(found)
    assert cited == {
        "type": "url_citation",
        "url_citation": {
            "url": "/v1/rag/documents/doc_1",
            "title": "Aldermoor Q3 2024",
            "start_index": len(SENTENCE) + 1,
            "end_index": len(SENTENCE) + 4,
        },
        "document": {
            "id": "doc_1",
            "filename": "file.md",
            "chunk_id": 1,
            "page": None,
            "headings": [],
            "text": SENTENCE,
        },
    }
    assert headers(found) == {
        "x-cache": "miss" if version == "v4" else "bypass",
        "x-rag-version": version,
        "x-rag-passages": "2",
    }


async def test_on_a_stream_annotations_come_before_the_finish_reason() -> None:
    found = await GroundedHouse().asked(stream=True)
    kinds = [
        "annotations" if part["delta"].get("annotations") else "finish"
        for frame in found.frames
        for part in frame["choices"]
        if part["delta"].get("annotations") or part["finish_reason"]
    ]
    assert kinds == ["annotations", "finish"]


async def test_the_engine_gets_the_passages_and_not_the_request_for_them() -> None:
    house = GroundedHouse()
    await house.asked(user="somebody")
    (request,) = house.reading.requests
    assert request.body.keys() == {"model", "messages", "temperature", "user"}
    system, user = request.body["messages"]
    assert system == {"role": "system", "content": INSTRUCTION}
    assert [passage.text in user["content"] for passage in PASSAGES] == [True, True]
    assert user["content"].endswith(f"\n\nQuestion: {QUESTION}")


async def test_each_choice_has_its_own_citations() -> None:
    house = GroundedHouse()
    for stream in (False, True):
        found = await house.asked(n=2, stream=stream)
        for index in (0, 1):
            assert content(found, index) == f"{SENTENCE} [1]"
            assert [each["document"]["chunk_id"] for each in citations(found, index)] == [1]


@pytest.mark.parametrize("stream", [False, True])
async def test_only_v4_checks_what_is_cited(stream: bool) -> None:
    house = GroundedHouse()
    house.reading.says = "It was $412.6 million [1], not $999.9 million [2], nor [7]."
    checked = await house.asked(version="v4", stream=stream)
    assert content(checked) == "It was $412.6 million [1], not $999.9 million, nor."
    assert [each["document"]["chunk_id"] for each in citations(checked)] == [1]
    unchecked = await house.asked(version="v3", stream=stream)
    assert content(unchecked) == house.reading.says
    assert [each["document"]["chunk_id"] for each in citations(unchecked)] == [1, 2]
    assert house.counted("gateway_rag_citations_total", outcome="unsupported") == 1
    assert house.counted("gateway_rag_citations_total", outcome="unknown") == 2
    assert house.counted("gateway_rag_citations_total", outcome="kept") == 3


async def test_tool_calls_pass_through() -> None:
    house = GroundedHouse()
    house.reading.finish_reason = "tool_calls"
    house.reading.says = ""
    found = await house.asked(stream=True)
    assert citations(found) == []
    assert found.frames[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_where_nothing_is_found_the_engine_is_told_and_the_answer_not_kept() -> None:
    house = GroundedHouse()
    house.retriever.passages = ()
    found = await house.asked()
    assert "None was found" in house.reading.requests[0].body["messages"][-1]["content"]
    assert headers(found)["x-rag-passages"] == "0"
    assert house.store.entries == {}
    assert house.counted("gateway_rag_requests_total") == 0  # counted by the route, when the call has ended
    house.pipeline.accounting.observe(found.call)
    assert house.counted("gateway_rag_requests_total", version="v4", outcome="no_passages") == 1


async def test_an_answer_that_had_to_do_without_a_part_says_so_and_is_not_kept() -> None:
    house = GroundedHouse()
    house.retriever.degraded = ("embedder",)
    found = await house.asked()
    assert headers(found)["x-rag-degraded"] == "embedder"
    assert house.store.entries == {}
    house.retriever.degraded = ()
    assert (await house.asked()).status is CacheStatus.MISS


@pytest.mark.parametrize(("key", "name"), [("key-1", "others"), ("key-3", "reports")])
async def test_a_collection_that_the_tenant_does_not_have(key: str, name: str) -> None:
    house = GroundedHouse()
    with pytest.raises(NotFound) as refused:
        await house.asked(rag={"collection": name}, key=key)
    assert (refused.value.param, refused.value.code) == ("rag.collection", "collection_not_found")
    assert house.reading.requests == []
    assert house.holds_nothing


async def test_vectors_of_another_model() -> None:
    house = GroundedHouse()
    house.retriever.mismatch = True
    with pytest.raises(Conflict) as refused:
        await house.asked()
    assert refused.value.code == "embedder_mismatch"


async def test_a_corpus_that_nobody_here_has_seen_yet_and_is_away() -> None:
    house = GroundedHouse()
    house.corpus.away = True
    for version in VERSIONS:
        with pytest.raises(CorpusAway) as refused:
            await house.asked(version=version)
        assert (b"retry-after", b"2") in refused.value.headers
    assert house.holds_nothing


@pytest.mark.parametrize("version", VERSIONS)
async def test_follow_ups_are_completed_from_what_was_asked_before(version: str) -> None:
    house = GroundedHouse()
    house.retriever.complete = {"And in Q4?": "What was Aldermoor's revenue in Q4 2024?"}
    messages: list[Json] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": "$412.6 million"},
        {"role": "user", "content": "And in Q4?"},
    ]
    found = await house.asked(version=version, messages=messages)
    assert house.retriever.earlier == [[QUESTION]]
    if version != "v1":
        assert "$431.0 million" in content(found)
        assert [each["document"]["chunk_id"] for each in citations(found)] == [2]


async def test_what_a_session_remembers_is_asked_before_what_the_body_has() -> None:
    house = GroundedHouse()
    call: Any = (await house.asked()).call
    call.body, call.earlier_questions = {"messages": [{"role": "user", "content": "And then?"}]}, ("First?", "Second?")
    await house.pipeline.grounding.prepare(call)
    assert house.retriever.earlier[-1] == ["First?", "Second?"]
    call.earlier_questions = ("?" * 100_000,) * 100
    await house.pipeline.grounding.prepare(call)
    assert sum(map(len, house.retriever.earlier[-1])) <= 40_000


async def test_an_engine_that_fails_without_any_answer_kept_is_an_error() -> None:
    house = GroundedHouse()
    house.reading.error = BackendUnavailable("gone", upstream="fast-1")
    house.stand_in.error = BackendUnavailable("gone", upstream="slow-1")
    with pytest.raises(ApiError) as refused:
        await house.asked()
    assert refused.value.status == 503
    assert dict(refused.value.headers)[b"retry-after"]
    await house.settle()
    assert house.holds_nothing
