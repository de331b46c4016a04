"""Deployments against a small server that answers as Ray's head does, and as a head in trouble does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.serve_applications import ServeApplications
from scripts.embedded.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = {"applications": [{"name": "fast"}]}
RUNNING = {"status": "RUNNING", "route_prefix": "/"}
DEPLOYING = {"status": "DEPLOYING", "route_prefix": "/"}


class Head(ThreadingHTTPServer):
    """`said`: what the head says of its applications at each question, the last one for good; a number is a status."""

    def __init__(self, *said: dict[str, Any] | int, ingress_status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.said = list(said)
        self.ingress_status = ingress_status
        self.deployed: list[Any] = []
        self.tokens: set[str | None] = set()


class _Answers(BaseHTTPRequestHandler):
    server: Head

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(self.server.ingress_status, {})
            return
        self.server.tokens.add(self.headers["Authorization"])
        now = self.server.said.pop(0) if len(self.server.said) > 1 else self.server.said[0]
        self._answer(now, {}) if isinstance(now, int) else self._answer(200, {"applications": now})

    def do_PUT(self) -> None:
        self.server.deployed.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(200, {})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def applications_of(head: Head, folder: Path) -> Iterator[ServeApplications]:
    token = folder / "token"
    token.write_text("sesame")
    thread = threading.Thread(target=head.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        port = head.server_port
        yield ServeApplications(dashboard_port=port, ingress_port=port, token_file=token)
    finally:
        head.shutdown()
        thread.join()
        head.server_close()


def deploy(applications: ServeApplications, folder: Path, *, timeout_s: float = 30.0) -> None:
    applications.deploy(CONFIG, timeout_s=timeout_s, log_file=folder / "ray.log")


def test_a_deployment_is_over_when_all_applications_run(tmp_path: Path) -> None:
    head = Head({}, {"fast": DEPLOYING}, {"fast": RUNNING})
    with applications_of(head, tmp_path) as applications:
        deploy(applications, tmp_path)
        assert applications.problem() == ""
        assert applications.answers()
    assert head.deployed == [CONFIG]
    assert head.tokens == {"Bearer sesame"}


def test_a_head_that_has_its_hands_full_is_asked_again(tmp_path: Path) -> None:
    with applications_of(Head(503, 500, {"fast": RUNNING}), tmp_path) as applications:
        deploy(applications, tmp_path)


def test_what_could_not_be_deployed_is_said_at_once(tmp_path: Path) -> None:
    failed = {"status": "DEPLOY_FAILED", "message": "there is no\n directory /nowhere", "route_prefix": None}
    with (
        applications_of(Head({"fast": DEPLOYING}, {"fast": failed, "other": RUNNING}), tmp_path) as applications,
        pytest.raises(ServiceError, match="could not serve fast: DEPLOY_FAILED there is no directory /nowhere, see"),
    ):
        deploy(applications, tmp_path)


def test_an_unhealthy_application_is_told_in_its_deployments_words(tmp_path: Path) -> None:
    traceback = "It failed to start 3 times in a row. Error:\n  File engine.py\nEngineError: out of memory\n"
    unhealthy = {
        "status": "UNHEALTHY",
        "message": "Look at the deployments.",
        "deployments": {
            "fast": {"status": "UNHEALTHY", "message": traceback},
            "slow": {"status": "HEALTHY", "message": "all is well"},
        },
    }
    with applications_of(Head({"fast": unhealthy}), tmp_path) as applications:
        assert applications.problem() == "fast: UNHEALTHY Look at the deployments. EngineError: out of memory"


def test_an_application_that_the_ingress_does_not_know_yet_is_not_there(tmp_path: Path) -> None:
    with applications_of(Head({"fast": RUNNING}, ingress_status=404), tmp_path) as applications:
        assert applications.problem() == "fast: the ingress answers 404"
        with pytest.raises(ServiceError, match=r"did not serve after 0\.5 s: fast: the ingress answers 404"):
            deploy(applications, tmp_path, timeout_s=0.5)


def test_a_head_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame")
    port = free_port()
    applications = ServeApplications(dashboard_port=port, ingress_port=port, token_file=tmp_path / "token")
    assert not applications.answers()
    assert f"no answer from the Ray head on port {port}" in applications.problem()
    with pytest.raises(ServiceError, match="could not be told what to serve"):
        deploy(applications, tmp_path)
