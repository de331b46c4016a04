"""Two requests share a digest only if they are equal in all that is not known to be harmless."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.question import question_of
from api.cache.scope import Digests, ScopedRequest
from serving.types import Endpoint

DIGESTS = Digests(b"secret", versions=("policy-1", "minilm/int8", "rules-1"))
BODY: dict[str, Any] = {
    "model": "finsight-fast",
    "messages": [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "What is EBIT?", "name": "eve"},
    ],
    "temperature": 0,
    "max_tokens": 100,
    "stop": ["\n"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "service_tier": "flex",
    "user": "u1",
    "vendor_field": {"a": [1, None]},
}
HARMLESS = {"stream", "stream_options", "service_tier", "user", "model"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def scoped(body: dict[str, Any], *, endpoint: Endpoint = Endpoint.CHAT, **changes: Any) -> ScopedRequest:
    request = ScopedRequest(
        tenant="acme",
        audience=("all",),
        endpoint=endpoint,
        model=("finsight-fast", "1.0", ""),
        body=body,
        question=question_of(endpoint, body),
        corpus_version=None,
    )
    return replace(request, **changes)


def scope(body: dict[str, Any], **changes: Any) -> str:
    return DIGESTS.scope(scoped(body, **changes))


def changed(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BODY), **fields}


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_how_an_answer_travels_makes_no_difference(name: str) -> None:
    assert scope(changed(**{name: "another"})) == scope(BODY)
    without = copy.deepcopy(BODY)
    del without[name]
    assert scope(without) == scope(BODY)


def test_the_question_itself_is_not_in_the_scope_but_in_the_key() -> None:
    asked, other = BODY, copy.deepcopy(BODY)
    other["messages"][-1]["content"] = "What is EBITDA?"
    assert scope(asked) == scope(other)
    one, another = (DIGESTS.exact_key(scope(body), question_of(Endpoint.CHAT, body)) for body in (asked, other))
    assert one != another


def test_the_order_of_a_bodys_fields_makes_no_difference() -> None:
    assert scope(dict(reversed(BODY.items()))) == scope(BODY)


@given(name=st.text(max_size=12), value=JSON)
def test_any_other_field_makes_a_difference(name: str, value: Any) -> None:
    body = copy.deepcopy(BODY)
    if name in HARMLESS or name == "messages":
        return
    same = name in body and msgspec.json.encode(body[name]) == msgspec.json.encode(value)
    body[name] = value
    assert (scope(body) == scope(BODY)) == same


@given(one=JSON, other=JSON)
def test_values_that_json_tells_apart_are_told_apart(one: Any, other: Any) -> None:
    same = msgspec.json.encode(one) == msgspec.json.encode(other)
    assert (scope(changed(x=one)) == scope(changed(x=other))) == same


@given(index=st.integers(0, 3), field=st.sampled_from(["role", "content", "name", "x"]), value=st.text(max_size=5))
def test_any_change_of_an_earlier_message_or_of_the_lasts_fields_makes_a_difference(
    index: int, field: str, value: str
) -> None:
    body = copy.deepcopy(BODY)
    if (index, field) == (3, "content"):
        return
    same = body["messages"][index].get(field) == value
    body["messages"][index][field] = value
    assert (scope(body) == scope(BODY)) == same


def test_earlier_messages_may_not_be_split_joined_or_left_out() -> None:
    scopes = [
        scope(changed(messages=messages))
        for messages in (
            BODY["messages"],
            BODY["messages"][1:],
            BODY["messages"][:1] + BODY["messages"][3:],
            [{"role": "system", "content": "Be "}, {"role": "system", "content": "brief"}, *BODY["messages"][1:]],
            [BODY["messages"][1], BODY["messages"][0], *BODY["messages"][2:]],
        )
    ]
    assert len(set(scopes)) == len(scopes)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "acme2"},
        {"audience": ("user", "u1")},
        {"audience": ("key", "u1")},
        {"model": ("finsight-fast", "1.1", "")},
        {"model": ("finsight-accurate", "1.0", "")},
        {"model": ("*", "1.0", "gpt")},
        {"corpus_version": "1"},
        {"corpus_version": ""},
    ],
)
def test_who_asks_of_what_makes_a_difference(changes: dict[str, Any]) -> None:
    assert scope(BODY, **changes) != scope(BODY)


def test_each_endpoints_field_of_the_other_is_an_unknown_field() -> None:
    plain = {"prompt": "What is EBIT?", "temperature": 0}
    assert scope(plain, endpoint=Endpoint.COMPLETIONS) != scope(
        {**plain, "messages": [{"role": "user", "content": "x"}]}, endpoint=Endpoint.COMPLETIONS
    )
    assert scope(changed(prompt="x")) != scope(BODY)
    same = {"messages": BODY["messages"], "prompt": "x"}
    assert scope(same) != scope(same, endpoint=Endpoint.COMPLETIONS)


def test_another_secret_or_version_makes_every_digest_another() -> None:
    request = scoped(BODY)
    others = [
        Digests(b"secret2", versions=("policy-1", "minilm/int8", "rules-1")),
        Digests(b"", versions=("policy-1", "minilm/int8", "rules-1")),
        Digests(b"secret", versions=("policy-1", "minilm/int8", "rules-2")),
        Digests(b"secret", versions=("policy-1", "minilm/int8rules-1", "")),
        Digests(b"secret", versions=("policy-1minilm/int8", "", "rules-1")),
    ]
    assert len({each.scope(request) for each in (DIGESTS, *others)}) == len(others) + 1
    assert len({each.tenant("acme") for each in (DIGESTS, *others[:2])}) == 3


def test_a_secret_may_have_any_length() -> None:
    assert Digests(b"x" * 1000, versions=()).tenant("a") != Digests(b"x" * 1001, versions=()).tenant("a")


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_no_name_of_a_tenant_is_anothers(names: list[str]) -> None:
    one, other = (DIGESTS.tenant(name) for name in names)
    assert one != other
    assert len(one) == 40
    assert set(one) <= set("0123456789abcdef")


def test_digests_for_one_purpose_serve_no_other() -> None:
    """The same words as a tenant, a flight, a question: no digest of one can pass for another's."""
    question = question_of(Endpoint.COMPLETIONS, {"prompt": "x"})
    found = [
        DIGESTS.tenant("x"),
        DIGESTS.flight_key("x", "batch"),
        DIGESTS.flight_key("x", "interactive"),
        DIGESTS.exact_key("x", question),
        DIGESTS.canonical_key("x", b"x"),
        DIGESTS.canonical_key("x", b'"x"'),
    ]
    assert len(set(found)) == len(found)


def test_ten_thousand_requests_share_no_key_unless_they_are_the_same_request() -> None:
    """Requests made of a few values each, so that near misses are the rule, from crafted names of tenants and users."""
    rng = random.Random(4)  # noqa: S311 - a test's dice
    crafted = ["a", "a:b", "b", "a:", ":b", "{a}", '["a"]', 'a","b', "a\x00b", "A", "ä", "a\u0308", ""]
    seen: dict[str, tuple[Any, ...]] = {}
    for _ in range(10_000):
        tenant, user, system, question = (rng.choice(crafted) for _ in range(4))
        body: dict[str, Any] = {
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
            rng.choice(["temperature", "top_p", "x"]): rng.choice([0, 0.0, 1, True, None, "0"]),
        }
        audience = rng.choice([("all",), ("user", user), ("key", user)])
        corpus = rng.choice([None, "1", "a"])
        request = scoped(body, tenant=tenant, audience=audience, corpus_version=corpus)
        whole = msgspec.json.encode([tenant, audience, corpus, body])
        found = DIGESTS.scope(request)
        for key in (
            DIGESTS.exact_key(found, request.question),
            DIGESTS.canonical_key(found, question.encode("utf-8")),
        ):
            assert seen.setdefault(key, (DIGESTS.tenant(tenant), whole)) == (DIGESTS.tenant(tenant), whole)
