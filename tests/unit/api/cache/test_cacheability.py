"""What is not known to be safe is not cached, and each reason has a word."""

from __future__ import annotations

from typing import Any

import pytest

from api.cache.cacheability import CacheRules, Tiers, bypass_reason, cacheability, is_short
from api.cache.directives import CacheDirectives
from api.cache.question import question_of
from api.cache.slots.types import Slots
from serving.types import Endpoint

RULES = CacheRules(max_temperature=0.3, omitted_temperature=True)
PLAIN = CacheDirectives()
SAMPLED = CacheDirectives(sampled=True)
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "What is EBIT?"}]}
SLOTS = Slots(question_type="what")


def reason(body: dict[str, Any], directives: CacheDirectives = PLAIN, rules: CacheRules = RULES) -> str | None:
    return bypass_reason(Endpoint.CHAT, {**ASKED, **body}, 100, directives, rules)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, None),
        ({"temperature": 0}, None),
        ({"temperature": 0.3}, None),
        ({"temperature": None}, None),
        ({"temperature": 0.31}, "temperature"),
        ({"n": 1}, None),
        ({"n": 2}, "several_choices"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": False}, None),
        ({"logprobs": None}, None),
        ({"prompt_logprobs": 1}, "logprobs"),
        ({"modalities": ["text"]}, None),
        ({"modalities": ["text", "audio"]}, "audio"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"web_search_options": {}}, "web_search"),
        ({"store": True}, "store"),
        ({"store": False}, None),
    ],
)
def test_what_only_an_engine_can_answer(body: dict[str, Any], why: str | None) -> None:
    assert reason(body) == why


def test_a_client_may_take_any_draw_for_its_answer() -> None:
    assert reason({"temperature": 1.5}, SAMPLED) is None
    assert reason({"n": 3}, SAMPLED) is None
    assert reason({"logprobs": True}, SAMPLED) == "logprobs"


def test_an_omitted_temperature_is_judged_by_the_setting() -> None:
    strict = CacheRules(max_temperature=0.3, omitted_temperature=False)
    assert reason({}, rules=strict) == "temperature"
    assert reason({"temperature": None}, rules=strict) == "temperature"
    assert reason({"temperature": 0}, rules=strict) is None
    assert reason({}, SAMPLED, rules=strict) is None


def test_embeddings_large_bodies_and_both_directives_pass_by() -> None:
    assert bypass_reason(Endpoint.EMBEDDINGS, {"input": "x"}, 9, PLAIN, RULES) == "embeddings"
    assert bypass_reason(Endpoint.CHAT, ASKED, 256 * 1024, PLAIN, RULES) is None
    assert bypass_reason(Endpoint.CHAT, ASKED, 256 * 1024 + 1, PLAIN, RULES) == "too_large"
    assert reason({}, CacheDirectives(no_cache=True, no_store=True)) == "directives"


def test_zero_logprobs_of_a_completion_are_asked_for_too() -> None:
    assert bypass_reason(Endpoint.COMPLETIONS, {"prompt": "x", "logprobs": 0}, 9, PLAIN, RULES) == "logprobs"


def decide(body: dict[str, Any], slots: Slots | None = SLOTS, directives: CacheDirectives = PLAIN) -> Any:
    whole = {**ASKED, **body}
    return cacheability(whole, question_of(Endpoint.CHAT, whole), slots, directives)


def test_a_plain_question_may_be_answered_by_every_tier() -> None:
    assert (decide({}).tiers, decide({}).reason) == (Tiers.ALL, None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
        ({"tools": []}, None),
        ({"prediction": {"content": "x"}}, "shaped_answer"),
        ({"echo": True}, "shaped_answer"),
        ({"suffix": "x"}, "shaped_answer"),
        ({"best_of": 2}, "shaped_answer"),
        ({"n": 2}, "shaped_answer"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "no_plain_question"),
    ],
)
def test_what_only_the_very_same_request_may_share(body: dict[str, Any], why: str | None) -> None:
    found = decide(body)
    assert (found.tiers, found.reason) == (Tiers.ALL if why is None else Tiers.EXACT, why)


def test_a_question_that_was_not_understood_shares_with_its_like_alone() -> None:
    assert decide({}, None).reason == "too_long"
    assert decide({}, Slots(question_type="what", standalone=False)).reason == "not_standalone"
    personal = Slots(question_type="what", personal=True)
    assert decide({}, personal).reason == "personal"
    assert decide({"user": ""}, personal).reason == "personal"
    assert decide({"user": "eve"}, personal).tiers is Tiers.ALL


def test_attachments_are_not_cached() -> None:
    picture = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}
    found = decide(picture)
    assert (found.tiers, found.looks_up, found.stores, found.reason) == (Tiers.NONE, False, False, "attachments")


def test_directives_leave_out_one_half_each() -> None:
    fresh, secret = decide({}, directives=CacheDirectives(no_cache=True)), CacheDirectives(no_store=True)
    assert (fresh.looks_up, fresh.stores, fresh.reason) == (False, True, "directives")
    assert (decide({}, directives=secret).looks_up, decide({}, directives=secret).stores) == (True, False)


def test_short_is_what_the_embedder_sees_whole() -> None:
    assert is_short("word " * 150)
    assert not is_short("word " * 200)
    assert not is_short("\u4e2d" * 250)
