"""How long conversations are remembered, and by which gateways."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.acceptance.gateway.conversation_scripts import HELLO_YOU, last_prompt
from tests.acceptance.gateway.conversations import Conversation, user
from tests.acceptance.gateway.processes import GatewayFactory, eventually
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream


def test_a_gateway_that_is_restarted_remembers(
    gateways: GatewayFactory, talking_models: Path, talker: ScriptedUpstream
) -> None:
    before = gateways.start(WORKERS=1, MODELS_FILE=str(talking_models))
    talk = Conversation(before)
    talk.say("one", model="whole")
    gateways.stop(before)
    # Its life is a second long from now on.
    after = gateways.start(WORKERS=1, MODELS_FILE=str(talking_models), SESSION_TTL_S=1)
    talk.gateway = after
    assert talk.say("two", model="whole").state == "continued"
    assert last_prompt(talker, "whole") == [user("one"), HELLO_YOU, user("two")]
    eventually(lambda: expired(talk), until=bool, within_s=10)
    assert talk.say("three", model="whole").state == "new"
    assert last_prompt(talker, "whole") == [user("three")]
    gateways.stop(after)


def expired(talk: Conversation) -> bool:
    """Asked with pauses longer than its life, because each look is a use."""
    threading.Event().wait(1.2)
    return not talk.turns()


def test_a_gateway_may_have_sessions_off(gateways: GatewayFactory, talking_models: Path) -> None:
    forgetful = gateways.start(WORKERS=1, MODELS_FILE=str(talking_models), SESSIONS_ENABLED="false")
    talk = Conversation(forgetful)
    for said in ("one", "two"):
        heard = talk.say(said, model="whole")
        assert (heard.state, heard.session_id) == ("off", None)
    error = talk.show()
    assert (error.status_code, error.json()["error"]["code"]) == (403, "sessions_disabled")
    gateways.stop(forgetful)
