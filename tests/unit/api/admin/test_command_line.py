"""The command line towards a server that answers what it is told to; the gateway itself is in the acceptance tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.admin.__main__ import PROG, main
from api.settings import setting_names
from scripts.embedded.ports import free_port
from serving.tools.command_line import run

KEY = "an-admin-key-of-24-chars"


class Server(ThreadingHTTPServer):
    """Answers every request with `status` and `body`, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.body = b"{}"
        self.requests: list[tuple[str, str, str | None, Any]] = []
        self.actors: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    do_PUT = do_PATCH = do_POST  # noqa: N815 - http.server's names
    do_DELETE = do_GET  # noqa: N815 - idem

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Nothing: the tests' output is no access log."""

    def _answer(self, body: Any) -> None:
        self.server.requests.append((self.command, self.path, self.headers["Authorization"], body))
        self.server.actors.append(self.headers["X-Admin-Actor"])
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _only_the_admin_key_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ADMIN_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)  # away from a .env


def admin(*arguments: str) -> int:
    return run(main, prog=PROG, arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (["stats"], "GET", "/admin/v1/cache/stats", None),
        (["stats", "--tenant", "a&b=c d"], "GET", "/admin/v1/cache/stats?tenant=a%26b%3Dc+d", None),
        (["purge", "--tenant", "*"], "POST", "/admin/v1/cache/purge", {"tenant": "*"}),
        (
            ["purge", "--tenant", "x", "--tag", "entity:Ny"],
            "POST",
            "/admin/v1/cache/purge",
            {"tenant": "x", "tag": "entity:Ny"},
        ),
        (
            ["purge", "--tenant", "x", "--corpus-version", "v3"],
            "POST",
            "/admin/v1/cache/purge",
            {"tenant": "x", "corpus_version": "v3"},
        ),
        (["explain", "Why?", "Où?"], "POST", "/admin/v1/cache/explain", {"a": "Why?", "b": "Où?"}),
    ],
)
def test_each_command_is_one_request_with_the_key(
    server: Server, arguments: list[str], method: str, path: str, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server.body = json.dumps({"tenants": [], "what": "Où?"}).encode()
    assert admin("--url", server.url, "--json", "cache", *arguments) == 0
    assert server.requests == [(method, path, f"Bearer {KEY}", body)]
    assert json.loads(capsys.readouterr().out) == {"tenants": [], "what": "Où?"}


MOMENT = "2026-12-01T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        ("tenants list", "GET", "/tenants", None),
        ("tenants show a/b", "GET", "/tenants/a%2Fb", None),
        ("tenants create a --weight 2 --lane batch", "POST", "/tenants", {"name": "a", "weight": 2, "lane": "batch"}),
        ("tenants create a", "POST", "/tenants", {"name": "a"}),
        ("tenants change a --disable", "PATCH", "/tenants/a", {"disabled": True}),
        ("tenants change a --enable", "PATCH", "/tenants/a", {"disabled": False}),
        ("keys list --tenant a", "GET", "/keys?tenant=a", None),
        (f"keys create --tenant a --expires-at {MOMENT}", "POST", "/keys", {"tenant": "a", "expires_at": MOMENT}),
        ("keys rotate k --grace-s 0", "POST", "/keys/k/rotate", {"grace_s": 0}),
        ("keys revoke k", "POST", "/keys/k/revoke", {}),
        ("limits list", "GET", "/limits", None),
        (
            "limits set --tenant a --key k --requests-per-minute 5",
            "PUT",
            "/limits",
            {"tenant": "a", "key_id": "k", "requests_per_minute": 5},
        ),
        ("budgets list --tenant a", "GET", "/budgets?tenant=a", None),
        ("budgets set --tenant a --amount-usd 0.10", "PUT", "/budgets", {"tenant": "a", "amount_usd": "0.10"}),
        (
            f"prices set --model m --prefill-usd 1 --decode-usd 2 --cached-usd 0 --valid-from {MOMENT}",
            "POST",
            "/prices",
            {"model": "m", "prefill_usd": "1", "decode_usd": "2", "cached_usd": "0", "valid_from": MOMENT},
        ),
        ("usage", "GET", "/usage?group_by=tenant&format=json", None),
        (
            "usage --from 2026-11-01 --to 2026-11-30 --group-by day,key --tenant a",
            "GET",
            "/usage?from=2026-11-01&to=2026-11-30&group_by=day%2Ckey&tenant=a&format=json",
            None,
        ),
        ("audit --before-id 7 --limit 5", "GET", "/audit?before_id=7&limit=5", None),
    ],
)
def test_the_commands_of_tenants_too(
    server: Server, arguments: str, method: str, path: str, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert admin("--url", server.url, "--json", "--actor", "Zoë", *arguments.split()) == 0
    assert server.requests == [(method, f"/admin/v1{path}", f"Bearer {KEY}", body)]
    assert [actor and actor.encode("latin-1").decode() for actor in server.actors] == ["Zoë"]
    assert capsys.readouterr().out == "{}\n"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("limits remove --tenant a --model m", "/limits?tenant=a&model=m"),
        ("budgets remove --tenant a", "/budgets?tenant=a"),
    ],
)
def test_what_is_removed_has_no_answer(
    server: Server, arguments: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.body = 204, b""
    assert admin("--url", server.url, *arguments.split()) == 0
    assert [request[:2] for request in server.requests] == [("DELETE", f"/admin/v1{path}")]
    assert capsys.readouterr().out == "Removed.\n"


def test_a_new_key_is_alone_on_standard_output(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    key = {"id": "k1", "tenant": "a", "replaces": None}
    server.status, server.body = 201, json.dumps({"key": key, "secret": "sk-secret"}).encode()
    assert admin("--url", server.url, "keys", "create", "--tenant", "a") == 0
    said = capsys.readouterr()
    assert said.out == "sk-secret\n"
    assert said.err == "Key k1 of a. It is shown this once: keep it now.\n"


def test_csv_is_passed_on_as_it_is(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.body = b"tenant,cost_usd\r\na,0.100000000\r\n*,0.100000000\r\n"
    assert admin("--url", server.url, "usage", "--csv") == 0
    assert capsys.readouterr().out.split() == ["tenant,cost_usd", "a,0.100000000", "*,0.100000000"]
    assert server.requests[0][1].endswith("format=csv")


def test_the_url_and_the_key_come_from_the_settings_or_the_command_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.body = b'{"tenants": [], "gateway": {"lookups": {}, "hit_rate": null, "saved_usd": {}}}'
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    monkeypatch.setenv("GATEWAY_PORT", str(server.server_port))
    (tmp_path / "key").write_text("another-key-of-24-chars-\n")
    assert admin("--key-file", "key", "cache", "stats") == 0
    assert admin("--url", f"{server.url}/gateways/one/", "cache", "stats") == 0
    assert [(path, key) for _, path, key, _ in server.requests] == [
        ("/admin/v1/cache/stats", "Bearer another-key-of-24-chars-"),
        ("/gateways/one/admin/v1/cache/stats", f"Bearer {KEY}"),
    ]
    assert capsys.readouterr().out.startswith("tenant  answers")


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b'{"error": {"message": "Incorrect admin key provided."}}', "401: Incorrect admin key provided."),
        (503, b"nothing here", "503: nothing here"),
        (200, b"<html>", "is no gateway: its answer is not JSON: b'<html>'."),
    ],
)
def test_a_refusal_is_one_sentence(
    server: Server, status: int, body: bytes, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.body = status, body
    assert admin("--url", server.url, "cache", "stats") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"admin: {server.url} ")
    assert said.err.endswith(f"{sentence}\n")
    assert KEY not in said.err


def test_a_gateway_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert admin("--url", url, "cache", "stats") == 1
    assert capsys.readouterr().err.startswith(f"admin: {url} cannot be reached: ")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--url", "gateway:8000", "cache", "stats"], "--url"),
        (["--key-file", "missing", "cache", "stats"], "--key-file missing"),
        (["--timeout-s", "0", "cache", "stats"], "--timeout-s"),
        (["cache"], "COMMAND"),
        (["--actor", "a\x07", "tenants", "list"], "--actor"),
        (["keys", "create"], "--tenant"),
        (["limits", "set", "--tenant", "a", "--tokens-per-minute", "0"], "--tokens-per-minute"),
        (["limits", "set", "--tenant", "a", "--tokens-per-minute", "1.5"], "--tokens-per-minute"),
        (["tenants", "change", "a", "--disable", "--enable"], "--enable"),
        (["reconcile"], "--engine"),
        (["reconcile", "--engine", "nowhere"], "--engine"),
        (["reconcile", "--engine", "http://x", "--from", "2026-01-01T00:00:00"], "--from"),
        (["reconcile", "--engine", "http://x", "--since", "missing"], "--since missing"),
        (["reconcile", "--engine", "http://x", "--since", "f", "--save", "f"], "--save"),
        ([], "GROUP"),
        (["cache", "purge"], "--tenant"),
        (["cache", "purge", "--tenant", "x", "--tag", "entity:y", "--corpus-version", "z"], "--corpus-version"),
        (["cache", "explain", "one"], "QUESTION"),
    ],
)
def test_bad_input_is_one_sentence_that_names_it(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = admin(*arguments)
    except SystemExit as exit_:  # argparse leaves by itself
        status = int(str(exit_.code))
    assert status == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ADMIN_API_KEY", "", "set ADMIN_API_KEY"),
        ("ADMIN_API_KEY", "0123456789 012345", "the admin key holds a character"),
        ("ADMIN_API_KEY", "short", "ADMIN_API_KEY must have 16 characters"),
        ("GATEWAY_PORT", "none", "GATEWAY_PORT"),
    ],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert admin("cache", "stats") == 2
    assert words in capsys.readouterr().err
