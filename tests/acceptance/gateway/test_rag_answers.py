"""Answers from a tenant's own documents: real Postgres, real embedder, real cache, simulated engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.grounded_answers import (
    DOCUMENTS,
    FIGURE,
    OTHER_FIGURE,
    OTHER_QUESTION,
    QUESTION,
    REPORTS,
    SAME_QUESTION,
    VERSIONS,
    GroundedAnswer,
    Reader,
)
from tests.acceptance.gateway.processes import eventually
from tests.acceptance.gateway.raw_http import CHAT
from tests.acceptance.gateway.socket_client import open_socket
from tests.unit.rag.hostile import HOSTILE


@pytest.fixture
def reader(tenant: Tenant) -> Reader:
    """With three quarterly reports."""
    found = Reader(tenant.gateway, tenant_key(tenant.name))
    found.bring_reports()
    return found


def reader_of(tenant: Tenant) -> Reader:
    return Reader(tenant.gateway, tenant_key(tenant.name))


def test_every_version_answers_with_a_citation_that_has_the_figure(reader: Reader) -> None:
    for version in VERSIONS:
        for stream in (False, True):
            found = reader.ask(rag={"version": version}, stream=stream, headers={"Cache-Control": "no-cache"})
            assert FIGURE in found.text, version
            assert FIGURE in found.cited_texts, version
            assert {cited["document"]["filename"] for cited in found.citations} == {"aldermoor-robotics-2024-q3.md"}
            assert found.finish_reason == "stop"
            assert found.headers["x-rag-version"] == version
            assert 1 <= int(found.headers["x-rag-passages"]) <= 5
            assert "x-rag-degraded" not in found.headers


def test_the_official_client_reads_citations(reader: Reader) -> None:
    with openai.OpenAI(base_url=reader.gateway.base_url, api_key=reader.key, max_retries=0, timeout=20) as client:
        whole = client.chat.completions.create(
            model="finsight-fast",
            messages=[{"role": "user", "content": QUESTION}],
            extra_body={"rag": {"collection": "reports"}},
        )
        message = whole.choices[0].message
        assert message.annotations
        assert FIGURE in (message.content or "")
        cited = message.annotations[0].url_citation
        assert (message.content or "")[cited.start_index : cited.end_index] == "[1]"


def test_the_document_behind_a_citation_can_be_read(reader: Reader) -> None:
    (cited, *_) = reader.ask().citations
    document = reader.request("GET", cited["url_citation"]["url"])
    assert document.status_code == 200
    assert document.json()["filename"] == cited["document"]["filename"]


def test_what_was_answered_is_cached_with_its_citations_until_the_documents_change(reader: Reader) -> None:
    made = reader.ask()
    assert made.headers["x-cache"] == "miss"
    hit = eventually(lambda: reader.ask(SAME_QUESTION), until=lambda found: found.headers["x-cache"] != "miss")
    assert hit.headers["x-cache"] == "canonical"
    assert (hit.text, hit.citations) == (made.text, made.citations)
    streamed = reader.ask(stream=True)
    assert streamed.headers["x-cache"] == "exact"
    assert (streamed.text, streamed.citations) == (made.text, made.citations)
    reader.bring("note.md", "# Note\n\nNothing else is known of Aldermoor Robotics.")
    assert reader.ask().headers["x-cache"] == "miss"


def test_a_document_that_was_deleted_is_in_no_answer(reader: Reader) -> None:
    made = reader.ask()
    eventually(reader.ask, until=lambda found: found.headers["x-cache"] == "exact")
    assert reader.request("DELETE", f"{DOCUMENTS}/{made.citations[0]['document']['id']}").status_code == 200
    after = reader.ask()
    assert after.headers["x-cache"] == "miss"
    assert FIGURE not in after.text + after.cited_texts


def test_follow_ups_are_answered_from_what_was_asked_before(reader: Reader) -> None:
    messages = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": f"It was {FIGURE}."},
        {"role": "user", "content": "And in Q2?"},
    ]
    for version in ("v2", "v3", "v4"):
        found = reader.ask(messages=messages, rag={"version": version, "top_k": 10})
        assert OTHER_FIGURE in found.text, version
        assert OTHER_FIGURE in found.cited_texts, version
    # And one who asks it at once has the same answer.
    alone = eventually(
        lambda: reader.ask(OTHER_QUESTION, rag={"top_k": 10}), until=lambda answer: answer.headers["x-cache"] != "miss"
    )
    assert OTHER_FIGURE in alone.text


def test_in_a_session_too(reader: Reader) -> None:
    session = f"rag-session-{reader.key}-000"
    assert FIGURE in reader.ask(headers={"X-Session-Id": session}, stream=True).text
    found = reader.ask("And in Q2?", headers={"X-Session-Id": session}, stream=True)
    assert OTHER_FIGURE in found.text
    assert OTHER_FIGURE in found.cited_texts


def test_another_tenant_sees_nothing_of_it(reader: Reader, neighbour: Tenant) -> None:
    assert FIGURE in reader.ask().text
    other = reader_of(neighbour)
    refused = other.post()
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "collection_not_found")
    other.bring("own.md", "# Own\n\nThe canteen opens at noon.")
    for version in VERSIONS:
        found = other.ask(rag={"version": version})
        assert FIGURE not in found.text + found.cited_texts
        assert {cited["document"]["filename"] for cited in found.citations} <= {"own.md"}


async def test_over_a_websocket(reader: Reader) -> None:
    body = {"messages": [{"role": "user", "content": QUESTION}], "rag": {"collection": "reports"}, "stream": True}
    async with open_socket(reader.gateway, key=reader.key) as socket:
        answered = await socket.ask(body)
    found = GroundedAnswer.put_together(answered.data, answered.headers)
    found.check_citations()
    assert FIGURE in found.text
    assert FIGURE in found.cited_texts
    assert found.headers["x-rag-version"] == "v4"


def test_a_model_that_answers_from_documents(tenant: Tenant) -> None:
    reader = replace(reader_of(tenant), collection="finsight")
    for filename in REPORTS[:2]:
        reader.bring(filename)
    body: dict[str, Any] = {"model": "finsight-rag", "messages": [{"role": "user", "content": QUESTION}]}
    found = GroundedAnswer.of(reader.request("POST", CHAT, body))
    assert FIGURE in found.text
    assert found.citations
    assert found.model == "finsight-rag"
    assert found.headers["x-rag-version"] == "v4"
    body["rag"] = {"version": "v1", "top_k": 1}
    found = GroundedAnswer.of(reader.request("POST", CHAT, body))
    assert (found.headers["x-rag-version"], found.headers["x-rag-passages"]) == ("v1", "1")


def test_hostile_documents_are_quoted_and_nothing_more(tenant: Tenant) -> None:
    reader = reader_of(tenant)
    for number, text in enumerate(HOSTILE.values()):
        printable = text.replace("\x00", "").replace("\x1b", "")
        reader.bring(f"hostile-{number}.md", f"# Costs of Brightwater in Q3 2024\n\n{printable}")
    truth = "Brightwater reported costs of $12.5 million in Q3 2024."
    reader.bring("honest.md", f"# Report of Brightwater, Q3 2024\n\n{truth}")
    question = "What costs did Brightwater report in Q3 2024?"
    for version in VERSIONS:
        found = reader.ask(question, rag={"version": version, "top_k": 20}, headers={"Cache-Control": "no-cache"})
        assert truth in found.text, version
        assert {cited["document"]["filename"] for cited in found.citations} == {"honest.md"}, version
        assert "HACKED" not in found.text


@pytest.mark.parametrize(
    ("rag", "param", "status"),
    [
        ({"collection": "nowhere"}, "rag.collection", 404),
        ({"collection": "Bad Name"}, "rag.collection", 400),
        ({"version": "v9"}, "rag.version", 400),
        ({"top_k": 100}, "rag.top_k", 400),
        ({"passages": 3}, "rag.passages", 400),
    ],
)
def test_a_request_that_is_wrong_names_what(tenant: Tenant, rag: dict[str, object], param: str, status: int) -> None:
    refused = reader_of(tenant).post(rag=rag)
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"prompt": "Hi", "rag": {"collection": "reports"}}),
        ("/v1/embeddings", {"input": "Hi", "rag": {"collection": "reports"}}),
    ],
)
def test_other_endpoints_refuse_it(tenant: Tenant, path: str, body: dict[str, object]) -> None:
    refused = reader_of(tenant).request("POST", path, body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "rag")
