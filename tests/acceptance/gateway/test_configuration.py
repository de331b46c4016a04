"""Settings and models are read once; a start that cannot be leaves what runs as it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.acceptance.gateway.faulty_models import model, write_models
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION


def answers(gateway: Gateway) -> int:
    with gateway.client() as client:
        return client.post(CHAT, json=QUESTION).status_code


def test_an_edit_of_the_models_file_waits_for_the_next_start(
    gateways: GatewayFactory, engine: Engine, acceptance_dir: Path
) -> None:
    served = {"name": "mock", "base_url": engine.base_url, "model": "finsight-fast"}
    file = write_models(acceptance_dir / "edited-models.yaml", [model("only", served)])
    gateway = gateways.start(WORKERS=2, MODELS_FILE=str(file))
    before = gateway.workers()
    file.write_text("half an edit: [", "utf-8")
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(set(gateway.workers()) - set(before)), until=lambda fresh: fresh == 2)
    assert answers(gateway) == 200
    gateways.stop(gateway)


def test_an_own_lexicon_that_is_wrong_is_refused_before_anything_starts(
    gateways: GatewayFactory, acceptance_dir: Path
) -> None:
    file = acceptance_dir / "lexicon.yaml"
    file.write_text("metrics:\n  own-figure: {kind: nonsense, names: [own figure]}\n", "utf-8")
    gateway = Gateway(acceptance_dir, {**gateways.environment, "SEMANTIC_CACHE_LEXICON": str(file)})
    refused = subprocess.run(
        gateway.process.service.command,
        cwd=acceptance_dir,
        env={**os.environ, **(gateway.process.service.environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"gateway: {file}:2: "), refused.stderr
    assert "metrics.own-figure.kind" in refused.stderr


def test_workers_have_their_own_copy_of_the_lexicon(
    gateways: GatewayFactory, engine: Engine, acceptance_dir: Path
) -> None:
    assert engine.process.is_running()
    file = acceptance_dir / "edited-lexicon.yaml"
    file.write_text("metrics:\n  own-figure: {kind: flow, names: [zorkmid turnover, zorkmid take]}\n", "utf-8")
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_INDEX="off",
        SEMANTIC_CACHE_TIMEOUT_S=5,
        SEMANTIC_CACHE_LEXICON=str(file),
        API_KEYS=f"{KEY}:own-lexicon",
    )
    file.write_text("half an edit: [", "utf-8")
    for worker in (before := gateway.workers()):
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(set(gateway.workers()) - set(before)), until=lambda fresh: fresh == 2)
    with gateway.client() as client:

        def status(question: str) -> str:
            answer = client.post(CHAT, json={"messages": [{"role": "user", "content": question}]})
            return str(answer.headers["x-cache"])

        eventually(lambda: status("What was Apple's zorkmid turnover in Q3 2024?"), until=lambda found: found == "miss")
        eventually(lambda: status("Apple zorkmid take Q3 2024"), until=lambda found: found == "canonical")
    gateways.stop(gateway)


def test_a_second_start_on_the_same_port_leaves_the_first_its_counters(gateways: GatewayFactory) -> None:
    gateway = gateways.start(WORKERS=1)
    assert answers(gateway) == 200
    environment = {**os.environ, **(gateway.process.service.environment or {})}
    second = subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=gateway.process.service.working_directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"gateway: GATEWAY_PORT {gateway.port} cannot be used: Address already in use\n"
    assert gateway.samples().total("gateway_requests_total", outcome="ok") == 1
    gateways.stop(gateway)


def test_half_sent_bodies_take_places(gateways: GatewayFactory) -> None:
    gateway = gateways.start(WORKERS=1, MAX_INFLIGHT_PER_WORKER=1)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as half_sent:
        half_sent.sendall(head.encode() + b'{"messages')
        eventually(gateway.in_flight, until=lambda count: count == 1)
        with gateway.client() as client:
            refused = client.post(CHAT, json=QUESTION)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "server_is_overloaded"
    eventually(gateway.in_flight, until=lambda count: count == 0)
    assert answers(gateway) == 200
    gateways.stop(gateway)
