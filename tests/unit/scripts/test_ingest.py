"""`python -m scripts.ingest` against a gateway that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.settings import setting_names
from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.state import Phase, StackState
from scripts.ingest import main
from scripts.ingest_client import CorpusClient, Failed, Stopped
from serving.tools.command_line import run

KEY = "a-secret-key-of-ours"
DOCUMENT = {"id": "doc_1", "object": "rag.document", "chunks": 3}
PROGRESS = [{"chunks_done": 1, "chunks_total": 3}, {"chunks_done": 3, "chunks_total": 3}]


@dataclass
class Answer:
    status: int
    lines: Sequence[object]
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class ScriptedGateway:
    """Gives one answer after the other; the last one again and again."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    scripted = ScriptedGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            scripted.asked.append((self.path, self.headers["authorization"], body))
            answer = scripted.answers.pop(0) if len(scripted.answers) > 1 else scripted.answers[0]
            text = b"".join(json.dumps(line).encode() + b"\n" for line in answer.lines)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text) + answer.cut))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*setting_names(), "FILES", "COLLECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("API_KEYS", f"{KEY}:ours")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("a.md", "b c.md"):
        (tmp_path / name).write_text("text", "utf-8")
    return tmp_path


def ingest(gateway: ScriptedGateway, *files: str) -> int:
    arguments = [*files, "--url", gateway.url, "--env-file", "none.env"]
    return run(main, prog="ingest", arguments=arguments)


def test_each_document_is_told_and_all_are_counted(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answers = [Answer(202, [*PROGRESS, DOCUMENT]), Answer(200, [DOCUMENT])]
    monkeypatch.setenv("FILES", "'b c.md' *.md")
    monkeypatch.setenv("COLLECTION", "notes")
    assert ingest(gateway) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "new     b c.md  3 chunks",
        "known   a.md  3 chunks",
        "1 new, 1 known, 0 failed in the collection notes.",
    ]
    path, key, body = gateway.asked[0]
    assert (path, key) == ("/v1/rag/documents", f"Bearer {KEY}")
    assert b'name="collection"\r\n\r\nnotes\r\n' in body
    assert b'filename="b c.md"' in body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(400, [{"error": {"message": "The PDF is damaged."}}]), "The PDF is damaged."),
        (Answer(202, [PROGRESS[0], {"error": {"message": "The store is away."}}]), "The store is away."),
        (Answer(202, PROGRESS), "the connection broke off"),
        (Answer(202, PROGRESS, cut=True), "the connection broke off"),
        (Answer(502, ["no object"]), "this is no gateway's answer"),
        (Answer(201, []), "the connection broke off"),
    ],
)
def test_one_that_fails_says_why_and_the_others_go_on(
    gateway: ScriptedGateway, answer: Answer, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answers = [answer, Answer(202, [*PROGRESS, DOCUMENT])]
    assert ingest(gateway, "a.md", "b c.md", "--collection", "notes") == 1
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"failed  a.md: {reason}",
        "new     b c.md  3 chunks",
        "1 new, 0 known, 1 failed in the collection notes.",
    ]


def test_what_is_over_soon_is_waited_for(gateway: ScriptedGateway) -> None:
    busy = {"error": {"message": "busy"}}
    gateway.answers = [
        Answer(429, [busy], {"retry-after": "2"}),
        Answer(503, [busy], {"retry-after": "600"}),
        Answer(429, [busy]),
        Answer(201, [DOCUMENT]),
    ]
    pauses: list[float] = []
    with CorpusClient(url=f"{gateway.url}/v1/", key=KEY, collection="notes", pause=pauses.append) as client:
        assert client.store(Path("a.md"), lambda *_: None) == (DOCUMENT, True)
        assert pauses == [2.0, 60.0, 1.0]
        gateway.answers = [Answer(429, [busy])]
        with pytest.raises(Failed, match="busy"):
            client.store(Path("a.md"), lambda *_: None)
    assert len(gateway.asked) == 4 + 6


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_is_tried_once(
    gateway: ScriptedGateway, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answers = [Answer(status, [{"error": {"message": "Not with this key."}}])]
    assert ingest(gateway, "a.md", "b c.md", "--collection", "notes") == 1
    said = capsys.readouterr()
    assert "Not with this key." in said.err
    assert KEY not in said.out + said.err
    assert len(gateway.asked) == 1


def test_the_platform_that_runs_is_found_by_itself(
    gateway: ScriptedGateway, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answers = [Answer(200, [DOCUMENT])]
    (folder / "data").mkdir()
    StackState(
        phase=Phase.READY,
        supervisor=ProcessIdentity(pid=1, created_at=1.0),
        host="127.0.0.1",
        gateway_port=int(gateway.url.rpartition(":")[2]),
    ).write(folder / "data")
    assert run(main, prog="ingest", arguments=["a.md", "--collection", "notes", "--env-file", "none.env"]) == 0
    assert "1 known" in capsys.readouterr().out
    assert gateway.asked[0][0] == "/v1/rag/documents"


def test_no_gateway_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("http://127.0.0.1:1", "nonsense"):
        gone = ScriptedGateway(url=url)
        assert ingest(gone, "a.md", "b c.md", "--collection", "notes") == 1
        assert "make up" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_its_own_matter(folder: Path) -> None:
    with CorpusClient(url="http://127.0.0.1:1", key=KEY, collection="notes") as client:
        with pytest.raises(Failed, match="Is a directory"):
            client.store(folder, lambda *_: None)
        with pytest.raises(Stopped):
            client.store(folder / "a.md", lambda *_: None)


@pytest.mark.parametrize("given", [{}, {"FILES": "a.md"}, {"COLLECTION": "notes"}, {"FILES": " ", "COLLECTION": "x"}])
def test_without_files_or_collection_it_says_what_to_do(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert run(main, prog="ingest", arguments=["--env-file", "none.env"]) == 2
    assert 'make ingest FILES="handbook.pdf docs/" COLLECTION=handbook' in capsys.readouterr().err


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "many")
    assert run(main, prog="ingest", arguments=["a.md", "--collection", "x", "--env-file", "none.env"]) == 2
    assert "GATEWAY_PORT" in capsys.readouterr().err
