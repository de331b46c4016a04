"""Tool calls and structured output over real HTTP; what comes has to fit its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

if TYPE_CHECKING:
    import openai

    from tests.integration.serving.mock_llm.conftest import MockProcess

MODEL = "finsight-fast"
QUESTION: Any = [{"role": "user", "content": "What is the colour of the sky?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
PRICES: Any = {"type": "function", "function": {"name": "get_share_price", "description": "Price of a company's share"}}


@pytest.mark.parametrize(
    ("choice", "reason"),
    [({"type": "function", "function": {"name": "get_weather"}}, "stop"), ("required", "tool_calls")],
)
def test_a_forced_tool_is_called_with_arguments_that_fit(client: openai.OpenAI, choice: Any, reason: str) -> None:
    messages: Any = [{"role": "user", "content": "How is the weather in Paris?"}]
    reply = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[PRICES, WEATHER], tool_choice=choice
    ).choices[0]
    assert reply.finish_reason == reason
    assert reply.message.content is None
    assert reply.message.tool_calls is not None
    call = reply.message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "get_weather"
    jsonschema_rs.validate(WEATHER["function"]["parameters"], json.loads(call.function.arguments))


def test_a_forced_tool_call_is_streamed(mock: MockProcess) -> None:
    found = mock.events(messages=QUESTION, tools=[WEATHER], tool_choice="required")
    deltas = [event["choices"][0]["delta"] for event in found]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert calls[0]["id"]
    assert len(calls) > 3
    arguments = "".join(call["function"]["arguments"] for call in calls)
    jsonschema_rs.validate(WEATHER["function"]["parameters"], json.loads(arguments))
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_tool_that_is_not_forced_is_not_called(client: openai.OpenAI, choice: Any) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[WEATHER], tool_choice=choice)
    assert reply.choices[0].message.tool_calls is None
    assert reply.choices[0].message.content


def test_json_mode_gives_an_object(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION, response_format={"type": "json_object"})
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output_fits_its_schema(mock: MockProcess, *, stream: bool) -> None:
    schema = WEATHER["function"]["parameters"]
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema, "strict": True}}
    if stream:
        found = mock.events(messages=QUESTION, response_format=wanted)
        text = "".join(event["choices"][0]["delta"].get("content") or "" for event in found)
    else:
        body = {"messages": QUESTION, "response_format": wanted}
        text = mock.client.post(f"{mock.url}/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    jsonschema_rs.validate(schema, json.loads(text))
