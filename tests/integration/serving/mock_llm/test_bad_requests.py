"""Bad requests get a 4xx in OpenAI's error shape, and never a 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.integration.serving.mock_llm.conftest import MockProcess

MESSAGES = [{"role": "user", "content": "x"}]
CHAT = "/v1/chat/completions"


def refusal(reply: httpx.Response) -> dict[str, Any]:
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return dict(error)


@pytest.mark.parametrize(
    ("path", "body", "param", "words"),
    [
        (CHAT, {}, "messages", "missing required field"),
        (CHAT, {"messages": MESSAGES, "max_tokens": -5}, "max_tokens", ">= 1"),
        (CHAT, {"messages": MESSAGES, "max_tokens": 10**9}, "max_tokens", "maximum context length is 8192 tokens"),
        (CHAT, {"messages": [{"role": "user", "content": "word " * 9000}]}, None, "maximum context length is 8192"),
        (CHAT, {"messages": MESSAGES, "min_tokens": 9, "max_tokens": 5}, "min_tokens", "more than the 5 tokens"),
        (CHAT, {"messages": MESSAGES, "top_logprobs": 2}, "top_logprobs", "'logprobs' is true"),
        (CHAT, {"messages": MESSAGES, "model": "mock-embedding"}, "model", "does not support completions"),
        (CHAT, {"messages": MESSAGES, "tool_choice": "required"}, "tool_choice", "no 'tools'"),
        (CHAT, {"messages": MESSAGES, "stop": ""}, "stop", "empty string"),
        (CHAT, {"messages": MESSAGES, "stream_options": {"include_usage": True}}, "stream_options", "'stream' is true"),
        (CHAT, {"messages": MESSAGES, "response_format": {"type": "json_schema"}}, "response_format", "needs"),
        (
            CHAT,
            {"messages": MESSAGES, "response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}},
            "response_format",
            "keyword 'not' is not supported",
        ),
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
            "reads text only",
        ),
        ("/v1/completions", {"prompt": ""}, "prompt", "cannot be empty"),
        ("/v1/completions", {"prompt": "a", "suffix": "b"}, "suffix", "not supported"),
        ("/v1/completions", {"prompt": ["a"] * 128, "n": 128}, "n", "at most 512"),
        ("/v1/embeddings", {"input": []}, "input", "cannot be empty"),
        ("/v1/embeddings", {"input": "a", "dimensions": 10**6}, "dimensions", "at most 384"),
        ("/v1/embeddings", {"input": "a", "model": "finsight-fast"}, "model", "does not support the Embeddings API"),
    ],
)
def test_the_offending_parameter_is_named(
    mock: MockProcess, path: str, body: Any, param: str | None, words: str
) -> None:
    reply = mock.client.post(f"{mock.url}{path}", json=body)
    assert reply.status_code == 400
    error = refusal(reply)
    assert error["param"] == param
    assert words in error["message"]


def test_a_context_overflow_has_its_code(mock: MockProcess) -> None:
    reply = mock.client.post(f"{mock.url}{CHAT}", json={"messages": MESSAGES, "max_tokens": 8192})
    assert refusal(reply)["code"] == "context_length_exceeded"


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings"])
def test_an_unknown_model_is_not_found(mock: MockProcess, path: str) -> None:
    body = {"model": "gpt-9", "messages": MESSAGES, "prompt": "x", "input": "x"}
    reply = mock.client.post(f"{mock.url}{path}", json=body)
    assert reply.status_code == 404
    assert refusal(reply)["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", CHAT, 405),
        ("POST", "/v1/models", 405),
        ("DELETE", "/metrics", 405),
        ("GET", "/v1/models/nothing", 404),
        ("GET", "/faults", 404),
    ],
)
def test_wrong_paths_and_methods(mock: MockProcess, method: str, path: str, status: int) -> None:
    reply = mock.client.request(method, f"{mock.url}{path}")
    assert reply.status_code == status
    refusal(reply)


def test_a_body_beyond_the_limit_is_too_large(mock: MockProcess) -> None:
    reply = mock.client.post(f"{mock.url}{CHAT}", content=b"x" * 10_000_001)
    assert reply.status_code == 413
    refusal(reply)


FIELDS = st.sampled_from(
    ["messages", "prompt", "input", "model", "max_tokens", "n", "stop", "stream", "seed", "tools", "tool_choice",
     "logprobs", "response_format", "echo", "min_tokens", "dimensions", "encoding_format", "temperature",
     "top_logprobs"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["required", "auto", "json_object", "user", MESSAGES, {"type": "json_object"}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["role", "content", "type", "text", "function", "name", "parameters", "json_schema", "schema", "items", "enum",
         "properties", "required", "anyOf", "minimum", "pattern", "minItems"]), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from([CHAT, "/v1/completions", "/v1/embeddings"]),
    base=st.sampled_from([{}, {"messages": MESSAGES, "prompt": "x", "input": "x"}]),
    fields=st.dictionaries(FIELDS, VALUES, max_size=4),
)
def test_no_request_breaks_the_server(mock: MockProcess, path: str, base: Any, fields: dict[str, Any]) -> None:
    reply = mock.client.post(f"{mock.url}{path}", json=base | fields)
    assert reply.status_code in (200, 400, 404)
    if reply.status_code != 200:
        refusal(reply)
