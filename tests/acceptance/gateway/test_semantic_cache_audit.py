"""The live audit of a gateway with two workers: an engine whose answers differ from those that the cache gives."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY, ask_admin
from tests.acceptance.gateway.faulty_models import COMPLETION, USAGE, model, write_models
from tests.acceptance.gateway.processes import KEY, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream, read_request, whole

# They mean the same, but only the guard knows that "figure" says nothing: not canonical, but near.
STORED, NEAR = "What was the revenue of Norvane Labs in 2021?", "What was the revenue figure of Norvane Labs in 2021?"
CANONICAL = "Norvane Labs revenue 2021"
WHY_STORED = "Why did the revenue of Norvane Labs fall in 2021?"
WHY_NEAR = "Why did the revenue figure of Norvane Labs fall in 2021?"
# Requests: enough that each of two workers has some of them.
ENOUGH = 12


class Engine(ScriptedUpstream):
    """Every question has a figure of its own; the mood has one every time."""

    def __init__(self) -> None:
        super().__init__({})
        self.is_moody = False
        self.questions: list[str] = []

    def _answer(self, connection: socket.socket) -> None:
        head, body = read_request(connection)
        if "/models " in head:
            whole(200, {"object": "list", "data": []})(connection)
            return
        question = json.loads(body)["messages"][-1]["content"]
        self.questions.append(question)
        figure = len(self.questions) if self.is_moody else len(question)
        message = {"role": "assistant", "content": f"It came to ${figure}.5 billion."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole(200, {**COMPLETION, "choices": [choice]})(connection)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def audited(gateways: GatewayFactory, engine: Engine, acceptance_dir: Path, minilm_dir: Path) -> Iterator[Gateway]:
    """A gateway that audits every hit, and to which all vectors are near: the guard alone decides."""
    models = [model("scripted", {"name": "scripted", "base_url": engine.base_url("scripted")})]
    gateway = gateways.start(
        MODELS_FILE=str(write_models(acceptance_dir / "audit-models.yaml", models)),
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_AUDIT_SHARE=1,
        SEMANTIC_CACHE_MIN_COSINE=0.3,
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        ADMIN_API_KEY=ADMIN_KEY,
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    ask_admin(gateway, "POST", "purge", {"tenant": "*"})  # what other tests have left in the shared Redis
    yield gateway
    assert "Traceback" not in gateway.log()
    ask_admin(gateway, "POST", "purge", {"tenant": "*"})
    gateways.stop(gateway)


class Asking:
    def __init__(self, gateway: Gateway, engine: Engine) -> None:
        self.gateway = gateway
        self.engine = engine

    def status(self, question: str, **headers: str) -> str:
        """What `X-Cache` says. Each request has a connection of its own, which either worker may take."""
        body = {"model": "scripted", "messages": [{"role": "user", "content": question}]}
        with self.gateway.client(KEY) as client:
            answer = client.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        said: str = answer.headers["x-cache"]
        return said

    def near(self, question: str) -> str:
        """The same of a question whose own answer is not kept, so that it can be asked again."""
        return self.status(question, **{"Cache-Control": "no-store"})

    def total(self, name: str) -> float:
        return self.gateway.samples().total(name)

    def audited(self, question: str) -> str:
        """The status of a hit, when its audit has ended."""
        before = self.total("gateway_cache_audits_total")
        status = self.near(question)
        eventually(lambda: self.total("gateway_cache_audits_total"), until=lambda audits: audits > before)
        return status


@pytest.fixture
def asking(audited: Gateway, engine: Engine) -> Asking:
    return Asking(audited, engine)


def log_records(gateway: Gateway, words: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in gateway.log().splitlines() if line.startswith("{")]
    return [record for record in records if words in record["message"]]


def test_a_class_that_nearness_answers_wrongly_is_left_to_the_other_tiers_on_all_workers(asking: Asking) -> None:
    assert asking.status(STORED) == "miss"
    assert asking.status(WHY_STORED) == "miss"
    eventually(lambda: asking.near(NEAR), until=lambda status: status == "semantic")

    def is_demoted_after_another_hit() -> bool:
        asking.near(NEAR)
        return asking.total("gateway_cache_demoted_classes") == 1

    eventually(is_demoted_after_another_hit, until=bool, within_s=30)
    # The worker that did not find it out reads it within five seconds.
    eventually(lambda: {asking.near(NEAR) for _ in range(ENOUGH)}, until=lambda found: found == {"miss"}, within_s=20)
    # The same question in other words is still answered, and so are other classes by nearness.
    assert asking.status(CANONICAL) == "canonical"
    assert asking.status(STORED) == "exact"
    assert asking.near(WHY_NEAR) == "semantic"
    said = eventually(lambda: log_records(asking.gateway, "no longer answered by nearness"), until=bool)
    assert [(record["level"], record["question_class"]) for record in said] == [("WARNING", "what/metric")]
    assert said[0]["wrong"] >= 3
    assert "Norvane" not in asking.gateway.log()
    # Nothing is left of what the audits were about.
    ask_admin(asking.gateway, "POST", "purge", {"tenant": "*"})
    assert asking.status(STORED) == "miss"
    eventually(lambda: asking.near(NEAR), until=lambda status: status == "semantic", within_s=20)


def test_an_engine_that_contradicts_itself_does_not_look_like_a_wrong_cache(asking: Asking) -> None:
    asking.engine.is_moody = True
    assert asking.status(STORED) == "miss"
    eventually(lambda: asking.near(NEAR), until=lambda status: status == "semantic")
    # The very same question asked again has another answer too.
    for _ in range(4):
        assert asking.audited(STORED) == "exact"
    for _ in range(6):
        assert asking.audited(NEAR) == "semantic"
    assert asking.gateway.samples().total("gateway_cache_audits_total", verdict="differ") >= 10
    assert {asking.near(NEAR) for _ in range(ENOUGH)} == {"semantic"}


def test_audits_are_on_nobodys_bill(asking: Asking) -> None:
    assert asking.status(STORED) == "miss"
    eventually(lambda: asking.status(STORED), until=lambda status: status == "exact")
    eventually(lambda: asking.total("gateway_cache_audits_total"), until=lambda audits: audits == 1)
    for _ in range(2):
        assert asking.audited(STORED) == "exact"
    assert asking.engine.questions == [STORED] * 4
    samples = asking.gateway.samples()
    assert samples.total("gateway_cache_audits_total", verdict="agree") == 3
    assert samples.total("gateway_tokens_total", model="scripted") == USAGE["total_tokens"]
