"""Answers are shared with those alone who may have them, and only by requests that are equal in all that matters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gateway.cache_tenants import Tenant
from tests.acceptance.gateway.cached_answers import Q3, SAME_AS_Q3, CachedAnswer, ask, ask_at_once, asked, echoes, store
from tests.acceptance.gateway.processes import Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT

# Whatever stands for a hash tag, a pattern or a quote in some store. API_KEYS leaves no colon and no comma to a name.
CRAFTED = ("a", "{a}", "a}", "a*", 'a"', "a'; DROP TABLE x", "a\\", "a%", "ä", "A", "a b", "[a]", "\u0061\u0308")


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("question", [Q3, SAME_AS_Q3])
def test_another_tenant_never_gets_an_answer(tenant: Tenant, neighbour: Tenant, question: str) -> None:
    store(tenant, asked())
    assert ask(neighbour, asked(question)).status == "miss"
    assert ask(tenant, asked(question)).status in ("exact", "canonical")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "finsight-accurate"},
        {"temperature": 0.2},
        {"top_p": 0.5},
        {"max_tokens": 4000},
        {"seed": 7},
        {"stop": ["\n\n\n"]},
        {"frequency_penalty": 0.1},
        {"response_format": {"type": "text"}},
        {"an_engines_own_field": True},
        {"messages": [{"role": "system", "content": "You are an analyst."}, user(Q3)]},
        {"messages": [{"role": "developer", "content": "You are an analyst."}, user(Q3)]},
        {"messages": [user("Hello"), {"role": "assistant", "content": "Hello!"}, user(Q3)]},
        {"messages": [{**user(Q3), "name": "eve"}]},
    ],
    ids="-".join,
)
def test_whatever_else_differs_keeps_two_requests_apart(tenant: Tenant, change: dict[str, Any]) -> None:
    store(tenant, asked())
    body = {**asked(), **change}
    for question in (Q3, SAME_AS_Q3):
        last = {**body["messages"][-1], "content": question}
        # Looking is not to store what is looked for next.
        found = ask(tenant, {**body, "messages": [*body["messages"][:-1], last]}, cache_control="no-store")
        assert (found.status, echoes(found, question)) == ("miss", True)


def test_a_corpus_version_is_part_of_the_scope(tenant: Tenant) -> None:
    store(tenant, asked(), x_corpus_version="2026-11-20")
    for version, status in (("2026-11-21", "miss"), ("2026-11-20", "exact")):
        assert ask(tenant, asked(), x_corpus_version=version, cache_control="no-store").status == status
    assert ask(tenant, asked(), cache_control="no-store").status == "miss"
    with tenant.gateway.client(f"key-of-{tenant.name}") as client:
        refused = client.post(CHAT, json=asked(), headers={"X-Corpus-Version": "two words"})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "X-Corpus-Version"


def test_a_personal_question_is_its_users_alone(tenant: Tenant) -> None:
    mine = "What was my portfolio's return in Q3 2024?"
    store(tenant, asked(mine, user="eve"))
    assert ask(tenant, asked(mine, user="bob"), cache_control="no-store").status == "miss"
    assert ask(tenant, asked(mine), cache_control="no-store").status == "miss"
    assert ask(tenant, asked(mine, user="eve"), cache_control="no-store").status == "exact"


def test_whose_question_it_is_does_not_matter_for_what_all_may_know(tenant: Tenant) -> None:
    store(tenant, asked(user="eve"))
    assert ask(tenant, asked(user="bob")).status == "exact"


def test_a_follow_up_is_answered_for_the_very_same_conversation_alone(tenant: Tenant) -> None:
    def conversation(about: str) -> dict[str, Any]:
        turns = [user(f"What was {about}'s revenue in Q3 2024?"), {"role": "assistant", "content": "90 bn"}]
        return {"messages": [*turns, user("What about Q4?")]}

    store(tenant, conversation("Apple"))
    assert ask(tenant, conversation("Intel"), cache_control="no-store").status == "miss"
    assert ask(tenant, conversation("Apple")).status == "exact"
    assert ask(tenant, asked("What about Q4?")).status == "miss"


def test_requests_with_tools_share_with_their_like_alone(tenant: Tenant) -> None:
    tool = {"type": "function", "function": {"name": "quote", "parameters": {"type": "object", "properties": {}}}}
    store(tenant, asked(tools=[tool], tool_choice="none"))
    assert ask(tenant, asked(tools=[tool], tool_choice="none")).status == "exact"
    assert ask(tenant, asked(SAME_AS_Q3, tools=[tool], tool_choice="none"), cache_control="no-store").status == "miss"
    assert ask(tenant, asked(tools=[tool]), cache_control="no-store").status == "miss"


def test_sampled_answers_are_shared_where_the_client_says_so(tenant: Tenant) -> None:
    assert ask(tenant, asked(temperature=0.9)).status == "bypass"
    store(tenant, asked(temperature=0.9), x_cache_sampled="true")
    assert ask(tenant, asked(temperature=0.9), x_cache_sampled="true").status == "exact"
    assert ask(tenant, asked(temperature=0.9)).status == "bypass"
    assert ask(tenant, asked(n=2)).status == "bypass"


@pytest.fixture(scope="module")
def crafted(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    """Its tenants have names that were chosen to collide in some store's keys."""
    keys = ",".join(f"crafted-{number}:{name}" for number, name in enumerate(CRAFTED))
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        API_KEYS=keys,
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


def test_no_name_of_a_tenant_opens_anothers_answers(crafted: Gateway) -> None:
    for number in range(len(CRAFTED)):
        with crafted.client(f"crafted-{number}") as client:
            answers = [CachedAnswer.of(client.post(CHAT, json=asked(question))) for question in (Q3, SAME_AS_Q3)]
            assert answers[0].status == "miss", CRAFTED[number]
            again = eventually(
                lambda: CachedAnswer.of(client.post(CHAT, json=asked())),
                until=lambda answer: answer.status == "exact",
            )
            assert echoes(again)


async def test_five_hundred_requests_of_many_scopes_get_their_own_answers(tenant: Tenant) -> None:
    """Few questions, each in many scopes and spellings, at once: every answer is that of its own question."""
    rng = random.Random(7)  # noqa: S311 - a test's dice
    bodies = []
    for _ in range(500):
        company, quarter = rng.choice(["Apple", "Intel", "Boeing"]), rng.choice(["Q1", "Q2"])
        question = rng.choice([f"What was {company}'s revenue in {quarter} 2024?", f"{company} revenue {quarter} 2024"])
        system = [{"role": "system", "content": rng.choice(["Be brief.", "Be long."])}] if rng.random() < 0.5 else []
        stream = rng.random() < 0.5
        asking = {"messages": [*system, user(question)], "seed": rng.randint(0, 1), "stream": stream}
        bodies.append((company, quarter, asking))
    for start in range(0, len(bodies), 50):
        batch = bodies[start : start + 50]
        answers = await ask_at_once(tenant, [asking for _, _, asking in batch])
        for (company, quarter, asking), answer in zip(batch, answers, strict=True):
            assert company in answer.text, (asking, answer.text)
            assert quarter in answer.text, (asking, answer.text)
