"""Conversations about documents: a follow-up means what was asked before, and nobody else hears of either."""

from __future__ import annotations

import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.conversations import Conversation
from tests.acceptance.gateway.library import error_of, library

REPORT = b"""# Norvane Labs, fiscal year 2024

## Third quarter

In Q3 2024 the revenue of Norvane Labs was $412.6 million.

## Fourth quarter

In Q4 2024 the revenue of Norvane Labs was $455.1 million.
"""
Q3 = "What was the revenue of Norvane Labs in Q3 2024?"


@pytest.mark.parametrize("version", ["v2", "v4"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_follow_up_is_answered_for_what_it_means(
    tenant: Tenant,
    neighbour: Tenant,
    version: str,
    streams: bool,
) -> None:
    key = tenant_key(tenant.name)
    with library(tenant.gateway, key) as ours:
        ours.stored(REPORT, "report.md")
    talk = Conversation(tenant.gateway, key=key)
    how = {"rag": {"collection": "papers", "version": version}, "stream": streams}
    first, then = talk.say(Q3, **how), talk.say("And in Q4?", **how)
    assert (first.state, then.state) == ("new", "continued")
    assert "412.6" in first.text
    assert "455.1" in then.text
    # What is kept is what was said; the passages are not, and of the question what it means.
    turns = talk.show().json()["turns"]
    assert [[each["content"] for each in turn["messages"]] for turn in turns] == [
        [Q3, first.text],
        ["And in Q4?", then.text],
    ]
    assert "Q4" in turns[1]["question"]
    assert "Norvane Labs" in turns[1]["question"]
    stranger = Conversation(tenant.gateway, key=tenant_key(neighbour.name), id=talk.id)
    assert error_of(stranger.post("And in Q4?", **how)) == (404, "rag.collection", "collection_not_found")
    assert stranger.turns() == []
