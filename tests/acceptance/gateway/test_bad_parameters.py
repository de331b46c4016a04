"""Requests with wrong parameters: each a 400 with an OpenAI error body that names the parameter."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.processes import Gateway
from tests.acceptance.gateway.raw_http import QUESTION, exchange, request

USER = {"role": "user", "content": "hello"}


def chat_fields(**fields: Any) -> dict[str, Any]:
    return {**QUESTION, **fields}


WRONG_CHAT: list[tuple[dict[str, Any], str]] = [
    ({}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": {"role": "user"}}, "messages"),
    ({"messages": ["hello"]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"content": "hello"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": 1, "content": "x"}]}, "messages[0].role"),
    ({"messages": [USER, {"role": "user", "content": 1}]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    (chat_fields(model=1), "model"),
    (chat_fields(model=""), "model"),
    (chat_fields(model="x" * 257), "model"),
    (chat_fields(model=["finsight-fast"]), "model"),
    (chat_fields(stream="yes"), "stream"),
    (chat_fields(stream=1), "stream"),
    (chat_fields(stream_options={"include_usage": True}), "stream_options"),
    (chat_fields(stream=True, stream_options={"include_usage": "x"}), "stream_options.include_usage"),
    (chat_fields(stream=True, stream_options=[]), "stream_options"),
    (chat_fields(max_tokens=-1), "max_tokens"),
    (chat_fields(max_tokens=0), "max_tokens"),
    (chat_fields(max_tokens=1.5), "max_tokens"),
    (chat_fields(max_tokens="10"), "max_tokens"),
    (chat_fields(max_tokens=True), "max_tokens"),
    (chat_fields(max_tokens=100_000), "max_tokens"),
    (chat_fields(max_tokens=2**31), "max_tokens"),
    (chat_fields(max_tokens=2**64), "max_tokens"),
    (chat_fields(max_tokens=10**400), "max_tokens"),
    (chat_fields(max_completion_tokens=-5), "max_completion_tokens"),
    (chat_fields(max_completion_tokens=10**9), "max_completion_tokens"),
    (chat_fields(n=0), "n"),
    (chat_fields(n=129), "n"),
    (chat_fields(n="2"), "n"),
    (chat_fields(temperature=-0.1), "temperature"),
    (chat_fields(temperature=2.1), "temperature"),
    (chat_fields(temperature="hot"), "temperature"),
    (chat_fields(top_p=1.5), "top_p"),
    (chat_fields(presence_penalty=3), "presence_penalty"),
    (chat_fields(frequency_penalty=-3), "frequency_penalty"),
    (chat_fields(stop=1), "stop"),
    (chat_fields(stop=[1]), "stop[0]"),
    (chat_fields(seed="x"), "seed"),
    (chat_fields(logit_bias=[]), "logit_bias"),
    (chat_fields(user=1), "user"),
    (chat_fields(logprobs=2), "logprobs"),
    (chat_fields(top_logprobs=2), "top_logprobs"),
    (chat_fields(logprobs=True, top_logprobs=21), "top_logprobs"),
    (chat_fields(tools={}), "tools"),
    (chat_fields(tools=[{}]), "tools[0].type"),
    (chat_fields(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
    (chat_fields(tools=[{"type": "function", "function": {"name": "a b"}}]), "tools[0].function.name"),
    (chat_fields(tool_choice="sometimes"), "tool_choice"),
    (chat_fields(tool_choice="required"), "tool_choice"),
    (chat_fields(tool_choice=1), "tool_choice"),
    (chat_fields(response_format="json"), "response_format"),
    (chat_fields(response_format={}), "response_format.type"),
    (chat_fields(response_format={"type": "json_schema"}), "response_format"),
]


@pytest.mark.parametrize(("body", "param"), WRONG_CHAT, ids=lambda value: repr(value)[:60])
def test_a_wrong_chat_request_names_the_parameter(gateway: Gateway, body: dict[str, Any], param: str) -> None:
    answer = exchange(gateway.port, request(json.dumps(body).encode()))
    assert answer.status == 400
    assert answer.error()["param"] == param


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("completions", {}, "prompt"),
        ("completions", {"prompt": 1}, "prompt"),
        ("completions", {"prompt": []}, "prompt"),
        ("completions", {"prompt": ["a", 1]}, "prompt[1]"),
        ("completions", {"prompt": [1, -1]}, "prompt[0]"),
        ("completions", {"prompt": [[]]}, "prompt[0]"),
        ("completions", {"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ("completions", {"prompt": "a", "logprobs": True}, "logprobs"),
        ("completions", {"prompt": "a", "n": 3, "best_of": 2}, "best_of"),
        ("completions", {"prompt": "a", "echo": "yes"}, "echo"),
        ("embeddings", {}, "input"),
        ("embeddings", {"input": None}, "input"),
        ("embeddings", {"input": []}, "input"),
        ("embeddings", {"input": [{}]}, "input[0]"),
        ("embeddings", {"input": ["a"] * 2049}, "input"),
        ("embeddings", {"input": "a", "dimensions": 0}, "dimensions"),
        ("embeddings", {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ("embeddings", {"input": "a", "model": "finsight-fast"}, "model"),
    ],
)
def test_the_other_endpoints_name_it_too(client: httpx.Client, path: str, body: dict[str, Any], param: str) -> None:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
