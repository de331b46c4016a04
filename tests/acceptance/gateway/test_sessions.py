"""Conversations that the platform remembers: what the engine is shown of them, and what is kept."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.conversation_scripts import CALL, GO_ON, HELLO_YOU, RESULT, SYSTEM, last_prompt
from tests.acceptance.gateway.conversations import SESSIONS, Conversation, Heard, user
from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import KEY, OTHER_KEY, Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream
from tests.acceptance.gateway.socket_client import open_socket


@pytest.fixture
def talk(remembering: Gateway) -> Conversation:
    """A session of its own."""
    return Conversation(remembering)


@pytest.mark.parametrize("script", ["whole", "stream"])
def test_a_follow_up_sees_what_was_said_before(talk: Conversation, talker: ScriptedUpstream, script: str) -> None:
    how = {"model": script, "stream": script == "stream"}
    assert talk.say(SYSTEM, "one", **how).state == "new"
    for said in ("two", "three"):
        heard = talk.say(said, **how)
        assert (heard.state, heard.session_id, heard.text) == ("continued", talk.id, "Hello you")
    body = talker.received[script][-1].body
    assert body["messages"] == [SYSTEM, user("one"), HELLO_YOU, user("two"), HELLO_YOU, user("three")]
    assert "session_id" not in body
    assert talk.turns() == [[user(said), HELLO_YOU] for said in ("one", "two", "three")]
    assert talk.show().json()["system"] == [SYSTEM]


def test_a_system_prompt_of_its_own_takes_the_place_of_the_remembered_one(
    talk: Conversation, talker: ScriptedUpstream
) -> None:
    other = {"role": "system", "content": "Be verbose."}
    for messages in ([SYSTEM, "one"], [other, "two"], ["three"]):
        talk.say(*messages, model="whole")
    prompt = last_prompt(talker, "whole")
    assert prompt == [other, user("one"), HELLO_YOU, user("two"), HELLO_YOU, user("three")]


def test_the_same_id_of_another_tenant_is_another_session(talk: Conversation, talker: ScriptedUpstream) -> None:
    talk.say("a secret", model="whole")
    stranger = Conversation(talk.gateway, key=OTHER_KEY, id=talk.id)
    never = Conversation(talk.gateway)
    for ask in (Conversation.show, Conversation.delete):
        theirs, none = ask(stranger), ask(never)
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content
    assert stranger.say("hello", model="whole").state == "new"
    assert last_prompt(talker, "whole") == [user("hello")]
    assert stranger.delete().json() == {"id": talk.id, "object": "session.deleted", "deleted": True}
    assert talk.turns() == [[user("a secret"), HELLO_YOU]]


@pytest.mark.parametrize("script", ["calls", "calls-in-pieces"])
def test_calls_of_tools_and_their_results_are_part_of_it(
    talk: Conversation, talker: ScriptedUpstream, script: str
) -> None:
    tools = [{"type": "function", "function": {"name": "price"}}]
    calling = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    talk.say("what does it cost?", model=script, stream=script != "calls", tools=tools)
    talk.say(RESULT, model="whole", tools=tools)
    assert last_prompt(talker, "whole") == [user("what does it cost?"), calling, RESULT]
    # The step belongs to the turn: it is one of the twenty.
    assert talk.turns() == [[user("what does it cost?"), calling, RESULT, HELLO_YOU]]


def test_a_result_without_its_call_is_refused(talk: Conversation) -> None:
    error = talk.post(SYSTEM, RESULT, model="whole")
    assert error.status_code == 400
    conforms(error.json(), ERROR)
    assert error.json()["error"]["param"] == "messages[1].tool_call_id"


def test_an_answer_at_the_limit_of_tokens_is_kept(talk: Conversation) -> None:
    assert talk.say("one", model="length").state == "new"
    assert talk.turns() == [[user("one"), HELLO_YOU]]


@pytest.mark.parametrize(("script", "streams"), [("filtered", False), ("filtered-stream", True), ("cut", True)])
def test_an_answer_that_is_not_complete_is_not_kept(talk: Conversation, script: str, streams: bool) -> None:
    talk.say("one", model="whole")
    answer = talk.post("two", model=script, stream=streams)
    assert answer.status_code == 200
    assert ("[DONE]" in answer.text) is (script == "filtered-stream")
    assert answer.headers["x-session"] == ("continued" if streams else "not-stored")
    assert talk.turns() == [[user("one"), HELLO_YOU]]


def test_a_client_that_leaves_its_stream_leaves_nothing_behind(talk: Conversation) -> None:
    body = {"messages": [user("one")], "model": "stalls", "stream": True}
    with (
        talk.gateway.client() as client,
        client.stream("POST", CHAT, json=body, headers={"X-Session-Id": talk.id}) as answer,
    ):
        assert '"Hello"' in next(line for line in answer.iter_lines() if "Hello" in line)
    eventually(talk.gateway.in_flight, until=lambda count: count == 0)
    assert talk.turns() == []


def test_who_has_read_done_finds_the_turn(talk: Conversation) -> None:
    with talk.gateway.client() as client:
        for turn in range(1, 11):
            body = {"messages": [user(str(turn))], "model": "stream", "stream": True}
            with client.stream("POST", CHAT, json=body, headers={"X-Session-Id": talk.id}) as answer:
                for line in answer.iter_lines():
                    if line == "data: [DONE]":
                        assert len(talk.turns()) == turn
                        break


def test_a_deletion_is_not_undone_by_an_answer_under_way(talk: Conversation) -> None:
    talk.say("one", model="whole")
    GO_ON.clear()
    heard: list[Heard] = []
    under_way = threading.Thread(target=lambda: heard.append(talk.say("two", model="waits")))
    under_way.start()
    eventually(talk.gateway.in_flight, until=lambda count: count == 1)
    assert talk.delete().status_code == 200
    GO_ON.set()
    under_way.join(20)
    assert [each.state for each in heard] == ["not-stored"]
    assert talk.turns() == []
    assert talk.say("three", model="whole").state == "new"
    assert talk.turns() == [[user("three"), HELLO_YOU]]


def test_a_session_can_be_begun_by_itself(remembering: Gateway, talker: ScriptedUpstream) -> None:
    with remembering.client() as client:
        begun = client.post(SESSIONS).json()
        assert begun == {"id": begun["id"], "object": "session", "expires_in": 3600, "max_turns": 20}
        assert begun["id"].startswith("sess_")
        assert client.get(f"{SESSIONS}/{begun['id']}").json() == {**begun, "system": [], "turns": []}
        body = {"messages": [user("one")], "model": "whole", "session_id": begun["id"]}
        assert Heard.of(client.post(CHAT, json=body)).session_id == begun["id"]
        assert "session_id" not in talker.received["whole"][-1].body
        assert len(client.get(f"{SESSIONS}/{begun['id']}").json()["turns"]) == 1


def test_an_id_is_given_to_who_asks_for_one(remembering: Gateway) -> None:
    first = Conversation(remembering, id="new").say("one", model="whole")
    assert first.state == "new"
    assert first.session_id is not None
    assert Conversation(remembering, id=first.session_id).say("two", model="whole").state == "continued"


@pytest.mark.parametrize(
    ("path", "headers", "fields", "param"),
    [
        (CHAT, {"X-Session-Id": "short"}, {}, "X-Session-Id"),
        (CHAT, {}, {"session_id": "with spaces, long enough"}, "session_id"),
        (CHAT, {}, {"session_id": 7}, "session_id"),
        (CHAT, {"X-Session-Id": "a" * 20}, {"session_id": "b" * 20}, "session_id"),
        ("/v1/completions", {"X-Session-Id": "a" * 20}, {"prompt": "x"}, "X-Session-Id"),
        ("/v1/completions", {}, {"prompt": "x", "session_id": "a" * 20}, "session_id"),
        ("/v1/embeddings", {"X-Session-Id": "a" * 20}, {"input": "x", "model": "all-MiniLM-L6-v2"}, "X-Session-Id"),
    ],
)
def test_what_is_no_session_is_named(
    client: httpx.Client, path: str, headers: dict[str, str], fields: dict[str, Any], param: str
) -> None:
    answer = client.post(path, json={"messages": [user("hello")], **fields}, headers=headers)
    assert answer.status_code == 400, answer.text
    conforms(answer.json(), ERROR)
    assert answer.json()["error"]["param"] == param


async def test_over_a_websocket(remembering: Gateway, talker: ScriptedUpstream) -> None:
    talk = Conversation(remembering)
    async with open_socket(remembering) as socket:
        for said in ("one", "two"):
            body = {"messages": [user(said)], "model": "stream", "stream": True}
            answered = await socket.ask(body, headers={"x-session-id": talk.id})
            assert answered.last["type"] == "done"
            assert answered.headers["x-session"] == ("new" if said == "one" else "continued")
    assert last_prompt(talker, "stream") == [user("one"), HELLO_YOU, user("two")]
    assert await asyncio.to_thread(talk.turns) == [[user("one"), HELLO_YOU], [user("two"), HELLO_YOU]]


def test_strangers_are_told_nothing(remembering: Gateway) -> None:
    with remembering.client(None) as client:
        for answer in (client.post(SESSIONS), client.get(f"{SESSIONS}/{'a' * 20}")):
            assert answer.status_code == 401
            conforms(answer.json(), ERROR)
    with remembering.client(KEY) as client:
        answer = client.get(SESSIONS)
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (405, "method_not_allowed")
