"""Uploads that are interrupted leave nothing, and never hang: the client leaves, Postgres is killed or frozen."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import psycopg
import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.library import (
    COLLECTIONS,
    DOCUMENTS,
    LINES,
    QUERY,
    Library,
    error_of,
    library,
    long_text,
)
from tests.acceptance.gateway.processes import KEY, GatewayFactory, eventually
from tests.schema import lay_schema

LONG = long_text(300)


@dataclass(frozen=True)
class Interrupted:
    """A gateway with a Postgres of its own."""

    library: Library
    postgres: ServiceProcess
    database_url: str

    def rows(self) -> int:
        """Of all documents and chunks, whoever may see them."""
        with closing(psycopg.connect(self.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'rag' AND tablename ~ "
                "'^(documents|chunks)'"
            )
            tables = [name for (name,) in cursor.fetchall()]
            assert len(tables) >= 2
            total = 0
            for table in tables:
                cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - names that Postgres has quoted
                total += (cursor.fetchone() or (0,))[0]
            return total

    def upload_begun(self) -> None:
        """Wait until chunks of an upload have been stored, which nobody can see yet."""
        with closing(psycopg.connect(self.database_url, autocommit=True)) as connection:
            eventually(
                lambda: connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
                ).fetchone(),
                until=lambda row: row is not None and row[0] > 0,
            )


@pytest.fixture(scope="module")
def platform(
    gateways: GatewayFactory, minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Interrupted]:
    directory, port = tmp_path_factory.mktemp("corpus-postgres"), free_port()
    service = postgres_service(directory=directory, port=port, log_file=directory / "log", durable=False)
    postgres = ServiceProcess(service=service)
    postgres.start_ready()
    url = postgres_url(directory=directory, port=port)
    lay_schema(url)
    gateway = gateways.start(
        RAG_ENABLED="true",
        DATABASE_URL=url,
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        WORKERS=1,
        DATA_DIR=str(tmp_path_factory.mktemp("corpus-data")),
    )
    with library(gateway, KEY) as ours:
        yield Interrupted(ours, postgres, url)
    gateways.stop(gateway)
    postgres.thaw()
    postgres.stop()
    assert "Traceback" not in gateway.log()


@pytest.fixture
def interrupted(platform: Interrupted) -> Iterator[Interrupted]:
    """With one document, and with Postgres running."""
    platform.postgres.start_ready()
    eventually(lambda: platform.library.client.get(COLLECTIONS), until=lambda answer: answer.status_code == 200)
    assert platform.library.upload(b"The gate opens at 7.", "gate.txt").status_code in (200, 201)
    assert platform.rows() == 2
    yield platform
    eventually(platform.library.gateway.in_flight, until=lambda count: count == 0)


def nothing_of_it_is_there(interrupted: Interrupted) -> None:
    eventually(interrupted.rows, until=lambda count: count == 2)
    ours = interrupted.library
    assert len(ours.listed()) == 1
    found = ours.passages("Which warehouse keeps crates of spare parts?", top_k=20)
    assert [passage["filename"] for passage in found] == ["gate.txt"]


def test_a_client_that_leaves_leaves_nothing_behind(interrupted: Interrupted) -> None:
    ours = interrupted.library
    with ours.client.stream(
        "POST", DOCUMENTS, data={"collection": "papers"}, files={"file": ("long.txt", LONG)}, headers=LINES
    ) as answer:
        assert answer.status_code == 202
        lines = answer.iter_lines()
        assert '"chunks_done"' in next(lines)
        assert ours.gateway.in_flight() == 1
    left_s = time.monotonic()
    eventually(ours.gateway.in_flight, until=lambda count: count == 0)
    assert time.monotonic() - left_s < 5
    nothing_of_it_is_there(interrupted)
    # Nothing is left either that would keep it from being stored now.
    document = ours.stored(LONG, "long.txt")
    assert ours.client.delete(f"{DOCUMENTS}/{document['id']}").status_code == 200


def test_postgres_killed_during_an_upload(interrupted: Interrupted) -> None:
    ours = interrupted.library
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ours.upload, LONG, "long.txt")
        interrupted.upload_begun()
        interrupted.postgres.kill()
        assert error_of(asking.result(timeout=20)) == (503, None, "corpus_unavailable")
    for method, path in (("GET", COLLECTIONS), ("GET", f"{DOCUMENTS}?collection=papers")):
        began_s = time.monotonic()
        assert error_of(ours.client.request(method, path)) == (503, None, "corpus_unavailable")
        assert time.monotonic() - began_s < 5
    question = {"collection": "papers", "question": "When does the gate open?"}
    assert error_of(ours.client.post(QUERY, json=question)) == (503, None, "corpus_unavailable")
    interrupted.postgres.start_ready()
    eventually(lambda: ours.client.get(COLLECTIONS), until=lambda found: found.status_code == 200)
    nothing_of_it_is_there(interrupted)


def test_postgres_killed_after_the_first_line(interrupted: Interrupted) -> None:
    ours = interrupted.library
    with ours.client.stream(
        "POST", DOCUMENTS, data={"collection": "papers"}, files={"file": ("long.txt", LONG)}, headers=LINES
    ) as answer:
        assert answer.status_code == 202
        lines = answer.iter_lines()
        next(lines)
        interrupted.postgres.kill()
        *_, last = lines
    assert json.loads(last)["error"]["code"] == "corpus_unavailable"
    interrupted.postgres.start_ready()
    eventually(lambda: ours.client.get(COLLECTIONS), until=lambda found: found.status_code == 200)
    nothing_of_it_is_there(interrupted)


def test_postgres_frozen_hangs_nobody(interrupted: Interrupted) -> None:
    ours = interrupted.library
    frozen = [child.pid for child in psutil.Process(interrupted.postgres.pid).children(recursive=True)]
    frozen.append(interrupted.postgres.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        question = {"collection": "papers", "question": "When does the gate open?"}
        answer = ours.client.post(QUERY, json=question)
        assert error_of(answer) == (503, None, "corpus_unavailable")
        assert answer.headers["retry-after"]
        assert time.monotonic() - began_s < 5
    finally:
        for pid in frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    eventually(lambda: ours.client.post(QUERY, json=question), until=lambda found: found.status_code == 200)
