"""What is answered from documents while an engine or Postgres is away: what was said before, or an error at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.grounded_answers import (
    DOCUMENTS,
    FIGURE,
    OTHER_QUESTION,
    REPORTS,
    SAME_QUESTION,
    VERSIONS,
    Reader,
)
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.schema import lay_schema

# What a look-up in a Postgres that does not answer may take, and some more for a loaded machine.
_QUICK_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A gateway whose engine and Postgres may be killed."""

    gateway: Gateway
    postgres: ServiceProcess
    engine: Engine
    database_url: str

    def freeze_postgres(self) -> None:
        """With its backends, which would go on without their parent."""
        for process in self._postgres_processes():
            process.suspend()

    def thaw_postgres(self) -> None:
        for process in self._postgres_processes():
            process.resume()

    def _postgres_processes(self) -> list[Any]:
        try:
            parent = psutil.Process(self.postgres.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_until_ready(self) -> None:
        eventually(self.gateway.readiness, until=lambda answer: answer.json()["status"] == "ready", within_s=20)


@pytest.fixture(scope="module")
def shared_stage(
    gateways: GatewayFactory, minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    directory, port = tmp_path_factory.mktemp("corpus-postgres"), free_port()
    postgres = ServiceProcess(
        service=postgres_service(directory=directory, port=port, log_file=directory / "log", durable=False)
    )
    engine = Engine(tmp_path_factory.mktemp("corpus-engine"))
    postgres.start_ready()
    engine.process.start_ready()
    database_url = postgres_url(directory=directory, port=port)
    lay_schema(database_url)
    gateway = gateways.start(
        RAG_ENABLED="true",
        WORKERS=1,
        DATABASE_URL=database_url,
        MOCK_BASE_URL=engine.base_url,
        DATA_DIR=str(tmp_path_factory.mktemp("corpus-data")),
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_INDEX="off",  # what is near is not what these tests are about
        SEMANTIC_CACHE_TIMEOUT_S=5,
        RAG_EMBED_TIMEOUT_S=10,
        RAG_SEARCH_TIMEOUT_S=2,
    )
    stage = Stage(gateway=gateway, postgres=postgres, engine=engine, database_url=database_url)
    yield stage
    gateways.stop(gateway)
    stage.thaw_postgres()
    postgres.stop()
    engine.process.stop()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """Everything runs before, and again afterwards; there are two reports."""
    shared_stage.wait_until_ready()
    yield shared_stage
    shared_stage.thaw_postgres()
    shared_stage.postgres.start_ready()
    shared_stage.engine.process.start_ready()
    shared_stage.wait_until_ready()


@pytest.fixture
def asked(stage: Stage) -> Reader:
    """Somebody whose question was answered, and kept, from a collection of this test's own."""
    reader = Reader(stage.gateway, KEY, f"reports-{uuid4().hex}")
    for filename in REPORTS[:2]:
        reader.bring(filename)
    assert reader.ask().headers["x-cache"] == "miss"
    eventually(reader.ask, until=lambda found: found.headers["x-cache"] == "exact")
    return reader


def test_without_an_engine_the_last_good_answer_is_served_whatever_has_changed(stage: Stage, asked: Reader) -> None:
    made = asked.ask()
    asked.bring("note.md", "# Note\n\nAldermoor Robotics moved its office.")  # another version of the collection
    stage.engine.process.kill()
    for stream in (False, True):
        stale = asked.ask(SAME_QUESTION, stream=stream)
        assert (stale.headers["x-cache"], stale.headers["x-served-by"]) == ("stale", "cache")
        assert int(stale.headers["age"]) >= 0
        assert (stale.text, stale.citations) == (made.text, made.citations)
    for refused in (
        asked.post(OTHER_QUESTION),
        asked.post(SAME_QUESTION, rag={"version": "v3"}),
        asked.post(SAME_QUESTION, headers={"Cache-Control": "no-cache"}),
    ):
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1


def test_an_answer_goes_with_its_document_also_as_a_last_resort(stage: Stage, asked: Reader) -> None:
    (cited, *_) = asked.ask().citations
    assert asked.request("DELETE", f"{DOCUMENTS}/{cited['document']['id']}").status_code == 200
    stage.engine.process.kill()
    refused = asked.post()
    assert refused.status_code == 503
    assert FIGURE not in refused.text


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_without_postgres_what_is_cached_is_served_and_the_rest_refused_at_once(
    stage: Stage, asked: Reader, fault: str
) -> None:
    made = asked.ask()
    stage.postgres.kill() if fault == "kill" else stage.freeze_postgres()
    began_s = time.monotonic()
    hit = asked.ask()
    assert time.monotonic() - began_s < _QUICK_S
    assert hit.headers["x-rag-degraded"] == "corpus"
    assert hit.headers["x-cache"] in ("exact", "stale")
    assert (hit.text, hit.citations) == (made.text, made.citations)
    for version in VERSIONS:
        began_s = time.monotonic()
        refused = asked.post(OTHER_QUESTION, rag={"version": version})
        assert time.monotonic() - began_s < _QUICK_S
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "corpus_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
    # Whoever asks within half a second of another gets that one's report.
    eventually(lambda: stage.gateway.readiness().json()["dependencies"]["corpus"], until=lambda state: state != "ok")
    # What needs no documents is answered.
    assert (
        "x-rag-version"
        not in asked.request("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}).headers
    )


def test_when_postgres_is_back_questions_are_answered_again(stage: Stage, asked: Reader) -> None:
    stage.postgres.kill()
    assert asked.post(OTHER_QUESTION).status_code == 503
    stage.postgres.start_ready()
    # What is back is busy with coming back, and may be late once more.
    eventually(
        lambda: asked.post(OTHER_QUESTION),
        until=lambda answer: answer.status_code == 200 and "x-rag-degraded" not in answer.headers,
        within_s=20,
    )


def test_a_gateway_with_another_embedder_says_that_the_vectors_do_not_fit(
    stage: Stage, asked: Reader, gateways: GatewayFactory
) -> None:
    other = gateways.start(
        WORKERS=1,
        RAG_ENABLED="true",
        DATABASE_URL=stage.database_url,
        MOCK_BASE_URL=stage.engine.base_url,
        EMBEDDER="openai",
        EMBEDDER_BASE_URL=stage.engine.base_url,
        EMBEDDER_MODEL="mock-embedding",
    )
    try:
        refused = eventually(
            Reader(other, KEY, asked.collection).post,
            until=lambda answer: answer.status_code != 503,
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "embedder_mismatch")
        assert refused.json()["error"]["param"] == "rag.collection"
    finally:
        gateways.stop(other)


def test_off_it_is_refused_and_nothing_else(gateways: GatewayFactory) -> None:
    gateway = gateways.start(WORKERS=1)
    reader = Reader(gateway, KEY)
    try:
        refused = reader.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "rag_disabled")
        assert "corpus" not in gateway.readiness().json()["dependencies"]
        plain = {"messages": [{"role": "user", "content": "Hi"}]}
        assert reader.request("POST", "/v1/chat/completions", plain).status_code == 200
    finally:
        gateways.stop(gateway)
