"""A real vLLM on this machine's cores, driven with OpenAI's own client."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

pytestmark = pytest.mark.real

MODEL = "tiny-mistral"
QUESTION = [{"role": "user", "content": "What was revenue in the third quarter?"}]
LOOK_UP = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "A company's revenue in a year",
        "parameters": {
            "type": "object",
            "properties": {"company": {"type": "string", "maxLength": 40}, "year": {"type": "integer"}},
            "required": ["company", "year"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def client(vllm_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{vllm_url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def metric(vllm_url: str, name: str) -> float:
    """The sum over all labels."""
    text = httpx.get(f"{vllm_url}/metrics", timeout=30).text
    return sum(map(float, re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE)))


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": MODEL, "messages": QUESTION, "seed": 1, **fields})


def test_an_answer_has_text_and_usage(client: openai.OpenAI) -> None:
    answer = ask(client, max_tokens=20, extra_body={"ignore_eos": True})
    assert answer.model == MODEL
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 20
    # ChatML around eight words: a tokenizer that knows English.
    assert 15 <= answer.usage.prompt_tokens <= 30


def test_the_same_seed_says_the_same(client: openai.OpenAI) -> None:
    said = [ask(client, max_tokens=30, seed=seed).choices[0].message.content for seed in (5, 5, 6)]
    assert said[0] == said[1] != said[2]


def test_a_stream_says_what_the_whole_answer_says_and_ends_with_usage(client: openai.OpenAI) -> None:
    whole = ask(client, max_tokens=30, temperature=0)
    chunks = list(ask(client, max_tokens=30, temperature=0, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole.choices[0].finish_reason


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look_up"}}])
def test_a_forced_tool_call_has_arguments_of_its_schema(client: openai.OpenAI, choice: Any) -> None:
    (call,) = ask(client, tools=[LOOK_UP], tool_choice=choice).choices[0].message.tool_calls
    assert call.function.name == "look_up"
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"company", "year"}
    assert isinstance(arguments["year"], int)


def test_a_tool_call_is_streamed_in_parts(client: openai.OpenAI) -> None:
    parts = [
        part.function
        for chunk in ask(client, tools=[LOOK_UP], tool_choice="required", stream=True)
        for part in chunk.choices[0].delta.tool_calls or []
    ]
    assert "".join(part.name or "" for part in parts) == "look_up"
    assert set(json.loads("".join(part.arguments or "" for part in parts))) == {"company", "year"}


def test_a_conversation_with_tool_results_is_understood(client: openai.OpenAI) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"company": "Acme"}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "12.4 million"},
    ]
    answer = ask(client, messages=messages, tools=[LOOK_UP], max_tokens=5)
    assert answer.usage.prompt_tokens > 100  # the tools and the results are in it


def test_guided_json_keeps_to_its_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"company": {"type": "string", "maxLength": 40}, "rating": {"enum": ["buy", "hold", "sell"]}},
        "required": ["company", "rating"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "rating", "strict": True, "schema": schema}}
    said = json.loads(ask(client, response_format=wanted).choices[0].message.content)
    assert set(said) == {"company", "rating"}
    assert said["rating"] in ("buy", "hold", "sell")


def test_log_probabilities_come_with_their_alternatives(client: openai.OpenAI) -> None:
    content = ask(client, max_tokens=3, logprobs=True, top_logprobs=5).choices[0].logprobs.content
    assert all(len(token.top_logprobs) >= 5 and token.logprob <= 0 for token in content)


def test_no_request_gets_more_tokens_than_the_guardrail_allows(client: openai.OpenAI) -> None:
    """Neither one that names no limit, nor one that names a higher one."""
    for limit in ({}, {"max_tokens": 6000}):
        answer = ask(client, **limit, extra_body={"ignore_eos": True})
        assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 2048)


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"messages": [{"role": "user", "content": "word " * 9000}]}, 400, "maximum context length is 8192 tokens"),
        ({"max_tokens": 100_000}, 400, "max_tokens=100000 cannot be greater than max_model_len=8192"),
        ({"logprobs": True, "top_logprobs": 21}, 400, "greater than max allowed: 20"),
        ({"model": "nobody"}, 404, "The model `nobody` does not exist"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            400,
            "is not a multimodal model",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(
    client: openai.OpenAI, fields: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(openai.APIStatusError, match=re.escape(message)) as raised:
        ask(client, **fields)
    assert raised.value.status_code == status


def test_a_shared_prefix_is_computed_once(client: openai.OpenAI, vllm_url: str) -> None:
    context = {"role": "system", "content": "Acme's revenue grew, quarter after quarter. " * 40}
    first = ask(client, messages=[context, *QUESTION], max_tokens=1)
    before = metric(vllm_url, "vllm:prefix_cache_hits_total")
    second = ask(client, messages=[context, {"role": "user", "content": "And in the fourth?"}], max_tokens=1)
    hits = metric(vllm_url, "vllm:prefix_cache_hits_total") - before
    # Whole blocks of 32 tokens, and all of them that the two prompts share.
    assert hits % 32 == 0
    assert hits > 200
    assert second.usage.prompt_tokens_details.cached_tokens == hits
    assert first.usage.prompt_tokens_details.cached_tokens == 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_stops_the_engine(vllm_url: str, eventually: Callable[..., None], stream: bool) -> None:
    before = metric(vllm_url, "vllm:generation_tokens_total")
    body = {"model": MODEL, "messages": QUESTION, "stream": stream, "ignore_eos": True}
    if stream:
        with httpx.stream("POST", f"{vllm_url}/v1/chat/completions", json=body, timeout=60) as answer:
            next(answer.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{vllm_url}/v1/chat/completions", json=body, timeout=httpx.Timeout(60, read=1))
    left = time.monotonic()
    eventually(lambda: metric(vllm_url, "vllm:num_requests_running") == 0, "no request runs", timeout_s=30)
    generated = metric(vllm_url, "vllm:generation_tokens_total") - before
    assert 0 < generated < 2048, f"{generated} tokens, {time.monotonic() - left:.1f} s after the client left"
