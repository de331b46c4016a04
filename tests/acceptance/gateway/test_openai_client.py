"""The official Python client against the gateway: every answer as the published specification has it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.acceptance.gateway import openai_wire
from tests.acceptance.gateway.openai_wire import conforms, sse_chunks
from tests.acceptance.gateway.processes import KEY, Gateway

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MODEL = "finsight-fast"
QUESTION: Any = [{"role": "user", "content": "What does paged attention do?"}]
LONG = {"ignore_eos": True}
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}
NAMED_TOOL: Any = {"type": "function", "function": {"name": "get_weather"}}
PERSON_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def chat(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A whole chat completion, checked against the specification."""
    answer = client.post(CHAT, json={"messages": QUESTION, **fields})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    conforms(body, openai_wire.CHAT_COMPLETION)
    return body


def chat_chunks(client: httpx.Client, **fields: Any) -> list[dict[str, Any]]:
    answer = client.post(CHAT, json={"messages": QUESTION, "stream": True, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    chunks = sse_chunks(answer.text)
    assert len({chunk["id"] for chunk in chunks}) == 1
    return chunks


def test_chat(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model=MODEL, messages=QUESTION)
    (choice,) = answer.choices
    assert answer.model == MODEL
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert "paged attention" in (choice.message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0


async def test_chat_and_stream_of_the_async_client_agree(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        whole = await client.chat.completions.create(model=MODEL, messages=QUESTION)
        stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts) == whole.choices[0].message.content
    assert sum(map(bool, parts)) > 1


def test_whole_chat_conforms(client: httpx.Client) -> None:
    assert chat(client, model=MODEL)["model"] == MODEL


def test_a_request_without_a_model_gets_the_default(client: httpx.Client) -> None:
    assert chat(client)["model"] == MODEL
    assert chat(client, model=None)["model"] == MODEL


def test_stream_without_usage_does_not_mention_it(client: httpx.Client) -> None:
    chunks = chat_chunks(client, model=MODEL)
    for chunk in chunks:
        conforms(chunk, openai_wire.CHAT_CHUNK)
        assert len(chunk["choices"]) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]


def test_stream_with_usage_reports_it_once_at_the_end(client: httpx.Client) -> None:
    *chunks, last = chat_chunks(client, stream_options={"include_usage": True})
    for chunk in (*chunks, last):
        conforms(chunk, openai_wire.CHAT_CHUNK_WITH_USAGE)
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    whole = chat(client)["usage"]
    counted = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [last["usage"][name] for name in counted] == [whole[name] for name in counted]


def test_stream_with_usage_declined_does_not_mention_it(client: httpx.Client) -> None:
    for chunk in chat_chunks(client, stream_options={"include_usage": False}):
        conforms(chunk, openai_wire.CHAT_CHUNK)


def test_several_choices(client: httpx.Client) -> None:
    answer = chat(client, n=2, seed=1)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    contents = [choice["message"]["content"] for choice in answer["choices"]]
    assert contents[0] != contents[1]
    streamed = {0: "", 1: ""}
    for chunk in chat_chunks(client, n=2, seed=1):
        for choice in chunk["choices"]:
            streamed[choice["index"]] += choice["delta"].get("content") or ""
    assert [streamed[0], streamed[1]] == contents


def test_stop(openai_client: openai.OpenAI) -> None:
    whole = openai_client.chat.completions.create(model=MODEL, messages=QUESTION).choices[0]
    cut = openai_client.chat.completions.create(model=MODEL, messages=QUESTION, stop=["simulated"]).choices[0]
    assert "simulated" in (whole.message.content or "")
    assert cut.message.content == (whole.message.content or "").partition("simulated")[0]
    assert cut.finish_reason == "stop"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_on_the_output_ends_it(client: httpx.Client, name: str) -> None:
    limited: dict[str, Any] = {name: 5}
    answer = chat(client, **limited, **LONG)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5
    assert chat_chunks(client, **limited, **LONG)[-1]["choices"][0]["finish_reason"] == "length"


def test_seed_repeats_an_answer(client: httpx.Client) -> None:
    first, again, other = (chat(client, seed=seed)["choices"][0]["message"]["content"] for seed in (3, 3, 4))
    assert first == again != other


def test_logprobs(client: httpx.Client) -> None:
    answer = chat(client, logprobs=True, top_logprobs=2)
    content = answer["choices"][0]["logprobs"]["content"]
    assert len(content) == answer["usage"]["completion_tokens"]
    assert all(len(token["top_logprobs"]) == 2 for token in content)
    assert "".join(token["token"] for token in content) == answer["choices"][0]["message"]["content"]
    chunks = chat_chunks(client, logprobs=True)
    for chunk in chunks:
        conforms(chunk, openai_wire.CHAT_CHUNK)
    streamed = [token for chunk in chunks for token in (chunk["choices"][0]["logprobs"] or {}).get("content") or ()]
    assert [token["token"] for token in streamed] == [token["token"] for token in content]
    assert chat(client)["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("choice", [NAMED_TOOL, "required"])
def test_a_forced_tool_is_called(openai_client: openai.OpenAI, client: httpx.Client, choice: Any) -> None:
    answer = openai_client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[TOOL], tool_choice=choice)
    message = answer.choices[0].message
    assert message.content is None or message.content == ""
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in ("celsius", "fahrenheit")
    chat(client, tools=[TOOL], tool_choice=choice)


def test_a_forced_tool_is_called_in_a_stream(client: httpx.Client) -> None:
    chunks = chat_chunks(client, tools=[TOOL], tool_choice="required")
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    for chunk in chunks:
        conforms(chunk, openai_wire.CHAT_CHUNK)
    assert calls[0]["id"]
    assert calls[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(call["function"].get("arguments", "") for call in calls))["city"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_json_mode(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(
        model=MODEL, messages=QUESTION, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_json_schema_output(openai_client: openai.OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON_SCHEMA, "strict": True}}
    answer = openai_client.chat.completions.create(model=MODEL, messages=QUESTION, response_format=wanted)
    person = json.loads(answer.choices[0].message.content or "")
    assert {"name", "age"} <= person.keys() <= PERSON_SCHEMA["properties"].keys()  # type: ignore[attr-defined]  # a dict of dicts
    assert isinstance(person["name"], str)
    assert type(person["age"]) is int


def test_unknown_fields_reach_the_engine(client: httpx.Client) -> None:
    assert chat(client, max_tokens=64, min_tokens=60)["usage"]["completion_tokens"] >= 60
