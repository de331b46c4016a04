"""Conversations and the answer cache: what was said in one is not for another, and first questions are for all."""

from __future__ import annotations

import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.cached_answers import Q3, SAME_AS_Q3, ask, asked, store
from tests.acceptance.gateway.conversations import Conversation, Heard

SALARY = "What is the monthly salary of Mrs Sattler?"


def conversation(tenant: Tenant) -> Conversation:
    return Conversation(tenant.gateway, key=tenant_key(tenant.name))


def cached(heard: Heard) -> str:
    status: str = heard.headers["x-cache"]
    return status


@pytest.mark.parametrize("streams", [False, True])
def test_a_first_question_shares_answers_and_becomes_a_turn(tenant: Tenant, streams: bool) -> None:
    stored = store(tenant, asked())
    talk = conversation(tenant)
    heard = talk.say(SAME_AS_Q3, stream=streams)
    assert (cached(heard), heard.state, heard.text) == ("canonical", "new", stored.text)
    ((question, answer),) = talk.turns()
    assert (question["content"], answer["content"]) == (SAME_AS_Q3, stored.text)
    # And what a session's first question brings is for all.
    other = conversation(tenant).say("What was Boeing's revenue in Q1 2023?")
    assert cached(other) == "miss"
    assert other.state == "new"


def test_what_was_said_before_keeps_conversations_apart(tenant: Tenant) -> None:
    answers: dict[str, Heard] = {}
    for amount in ("4100", "5300"):
        talk = conversation(tenant)
        talk.say(f"The monthly salary of Mrs Sattler is {amount} euros.")
        answers[amount] = talk.say(SALARY)
    for amount, heard in answers.items():
        assert (cached(heard), heard.state) == ("miss", "continued")
        assert amount in heard.text
    # Without that conversation nobody gets it, in the same words or in others, in a session or without one.
    for question in (SALARY, "mrs sattler's monthly salary?"):
        for heard_text in (ask(tenant, asked(question)).text, conversation(tenant).say(question).text):
            assert "4100" not in heard_text
            assert "5300" not in heard_text


def test_a_question_is_not_answered_as_if_it_were_the_first(tenant: Tenant) -> None:
    store(tenant, asked())
    talk = conversation(tenant)
    talk.say("Only figures of subsidiaries interest me.")
    assert cached(talk.say(Q3)) == "miss"
