"""Each tier through two real workers: what is answered, in which form, and what the headers say."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.cached_answers import (
    BACKLOG,
    NEAR_BACKLOG,
    Q3,
    SAME_AS_Q3,
    ask,
    asked,
    echoes,
    engine_calls,
    store,
)
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import CHAT_COMPLETION, conforms
from tests.acceptance.gateway.processes import eventually
from tests.acceptance.gateway.raw_http import CHAT
from tests.acceptance.gateway.samples import Samples
from tests.acceptance.gateway.socket_client import open_socket

STREAM = {"stream": True, "stream_options": {"include_usage": True}}
COMPLETIONS = "/v1/completions"


@pytest.mark.parametrize("second", [{}, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("first", [{}, STREAM], ids=["whole", "stream"])
def test_an_answer_serves_both_forms_with_its_usage(
    tenant: Tenant, first: dict[str, Any], second: dict[str, Any]
) -> None:
    one = store(tenant, asked(**first))
    before = engine_calls(tenant.gateway)
    other = ask(tenant, asked(**second))
    assert (one.status, other.status) == ("miss", "exact")
    assert echoes(one)
    assert other.text == one.text
    assert other.usage is not None
    assert {name: other.usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")} == {
        name: (one.usage or {})[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    assert other.id != one.id
    assert engine_calls(tenant.gateway) == before


def test_the_headers_say_who_answered_and_how_old_it_is(tenant: Tenant) -> None:
    miss = store(tenant, asked())
    assert (miss.headers["x-cache"], miss.headers["x-served-by"]) == ("miss", "mock")
    assert "age" not in miss.headers
    hit = ask(tenant, asked())
    assert (hit.headers["x-cache"], hit.headers["x-served-by"]) == ("exact", "cache")
    assert 0 <= int(hit.headers["age"]) < 60
    assert int(hit.headers["x-ratelimit-remaining-requests"]) < int(miss.headers["x-ratelimit-remaining-requests"])
    assert not [name for name in hit.headers if "cosine" in name or "similar" in name]


def test_the_same_meaning_is_answered_without_an_engine(tenant: Tenant) -> None:
    store(tenant, asked())
    hit = ask(tenant, asked(SAME_AS_Q3))
    assert (hit.status, echoes(hit)) == ("canonical", True)
    for other in (
        "apple revenue q4 2024",
        "apple revenue q3 2023",
        "apple net income q3 2024",
        "intel revenue q3 2024",
    ):
        missed = ask(tenant, asked(other))
        assert (missed.status, echoes(missed, other)) == ("miss", True)


def test_what_is_near_and_means_the_same_is_answered(tenant: Tenant) -> None:
    store(tenant, asked(BACKLOG))
    hit = eventually(
        # The vector is there a moment after the answer. Looking is not to store what the engine says meanwhile.
        lambda: ask(tenant, asked(NEAR_BACKLOG), cache_control="no-store"),
        until=lambda answer: answer.status != "miss",
    )
    assert (hit.status, echoes(hit, BACKLOG)) == ("semantic", True)
    other = "What was Boeing's exact order backlog at the end of 2022?"
    missed = ask(tenant, asked(other))
    assert (missed.status, echoes(missed, other)) == ("miss", True)


def test_plain_completions_have_the_same_tiers(tenant: Tenant) -> None:
    body = {"prompt": Q3, "max_tokens": 200}
    one = store(tenant, body, COMPLETIONS)
    for prompt, status in ((Q3, "exact"), (SAME_AS_Q3, "canonical")):
        for stream in (False, True):
            hit = ask(tenant, {**body, "prompt": prompt, "stream": stream}, COMPLETIONS)
            assert (hit.status, hit.text) == (status, one.text)
    assert ask(tenant, {**body, "echo": True}, COMPLETIONS).status == "miss"
    assert ask(tenant, asked(max_tokens=200)).status == "miss", "a chat is another route"


def test_the_official_client_reads_a_replay(tenant: Tenant) -> None:
    question: Any = {"role": "user", "content": Q3}
    with openai.OpenAI(
        base_url=tenant.gateway.base_url, api_key=tenant_key(tenant.name), max_retries=0, timeout=20
    ) as client:
        store(tenant, asked(model="finsight-fast"))
        whole = client.chat.completions.with_raw_response.create(model="finsight-fast", messages=[question])
        assert whole.headers["x-cache"] == "exact"
        conforms(json.loads(whole.content), CHAT_COMPLETION)
        with client.chat.completions.create(model="finsight-fast", messages=[question], stream=True) as stream:
            chunks = list(stream)
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert said == whole.parse().choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"


def test_directives(tenant: Tenant) -> None:
    ask(tenant, asked(), cache_control="no-store")
    assert ask(tenant, asked(), cache_control="no-store").status == "miss"
    assert tenant.stats()["entries"] == 0
    both = ask(tenant, asked(), cache_control="max-age=0, no-cache, No-Store")
    assert both.status == "bypass"
    assert tenant.stats()["entries"] == 0
    assert ask(tenant, asked(), cache_control="no-cache").status == "bypass"
    eventually(lambda: tenant.stats()["entries"], until=lambda entries: entries == 1)
    assert ask(tenant, asked(), cache_control="no-store").status == "exact"
    before = engine_calls(tenant.gateway)
    assert ask(tenant, asked(), cache_control="no-cache").status == "bypass"
    assert engine_calls(tenant.gateway) == before + 1


async def test_over_a_websocket_the_request_itself_says_it(tenant: Tenant) -> None:
    store(tenant, asked())
    async with open_socket(tenant.gateway, key=tenant_key(tenant.name)) as socket:
        hit = await socket.ask(asked(stream=True))
        assert (hit.headers["x-cache"], hit.headers["x-served-by"]) == ("exact", "cache")
        assert "age" in hit.headers
        assert hit.text.endswith(Q3)
        fresh = await socket.ask(asked(stream=True), headers={"Cache-Control": "no-cache, no-store"})
        assert fresh.headers["x-cache"] == "bypass"
        wrong = await socket.ask(asked(), headers={"x-corpus-version": "two words"})
        assert wrong.error()["param"] == "X-Corpus-Version"
        unknown = await socket.ask(asked(), headers={"authorization": "Bearer x"})
        assert unknown.error()["param"] == "headers"


def test_a_hit_is_a_request_that_costs_no_tokens(tenant: Tenant, ledger: LedgerRows, request_id: str) -> None:
    def samples_after(requests: int) -> Samples:
        return eventually(
            tenant.gateway.samples,
            until=lambda samples: samples.total("gateway_requests_total", tenant=tenant.name) == requests,
        )

    store(tenant, asked())
    before = samples_after(1)
    hit = ask(tenant, asked(), X_Request_Id=request_id)
    after = samples_after(2)
    assert hit.usage is not None

    def grown(name: str, **labels: str) -> float:
        return after.total(name, tenant=tenant.name, **labels) - before.total(name, tenant=tenant.name, **labels)

    assert grown("gateway_tokens_total") == grown("gateway_cost_usd_total") == 0
    assert grown("gateway_cache_saved_tokens_total", kind="prompt") == hit.usage["prompt_tokens"]
    assert grown("gateway_cache_saved_tokens_total", kind="completion") == hit.usage["completion_tokens"]
    assert grown("gateway_cache_saved_usd_total") > 0
    row = ledger.one(request_id)
    assert (row["cache_tier"], row["outcome"], row["cost_usd"], row["prompt_tokens"]) == ("exact", "ok", 0, 0)
    assert row["saved_tokens"] == hit.usage["total_tokens"]
    assert float(row["saved_usd"]) == pytest.approx(grown("gateway_cache_saved_usd_total"))
    [found] = eventually(
        lambda: [line for line in tenant.gateway.log().splitlines() if request_id in line],
        until=lambda lines: len(lines) > 0,
    )
    line = json.loads(found)
    assert (line["cache"], line["status"], line["path"]) == ("exact", 200, CHAT)
    assert Q3 not in tenant.gateway.log()


def test_embeddings_pass_by(tenant: Tenant) -> None:
    with tenant.gateway.client(tenant_key(tenant.name)) as client:
        for _ in range(2):
            answer = client.post("/v1/embeddings", json={"input": "x", "model": "mock-embedding"})
            assert (answer.status_code, answer.headers["x-cache"]) == (200, "bypass")
