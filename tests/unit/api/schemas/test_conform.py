"""Engines' answers in the specification's shape: what is required comes, what is null goes, what was said stays."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.schemas.conform import CHUNK, WHOLE, is_usage_only
from serving.backends.translate import answer
from serving.errors import BackendProtocolError
from serving.types import Endpoint, Json

VLLM_CHAT: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 7,
    "model": "mistral",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "tool_calls": [],
                "reasoning_content": None,
            },
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
        }
    ],
    "service_tier": None,
    "system_fingerprint": None,
    "usage": {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None},
    "prompt_logprobs": None,
    "kv_transfer_params": None,
}


def test_a_chat_completion_of_vllm() -> None:
    assert WHOLE[Endpoint.CHAT](copy.deepcopy(VLLM_CHAT), "public") == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "public",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2},
    }


def test_a_chat_completion_with_the_least_in_it() -> None:
    body = WHOLE[Endpoint.CHAT]({"choices": [{}, {"message": None}]}, "public")
    assert body["id"].startswith("chatcmpl-")
    assert body["created"] > 1_700_000_000
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    for choice in body["choices"]:
        assert choice["message"] == {"role": "assistant", "content": None, "refusal": None}
        assert choice["logprobs"] is None


def test_tool_calls_stay_and_their_nulls_go() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "strict": None}, "index": None}
    body = WHOLE[Endpoint.CHAT]({"choices": [{"message": {"tool_calls": [call]}}]}, "m")
    assert body["choices"][0]["message"]["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


@pytest.mark.parametrize("top", [{}, {"top_logprobs": None}, {"top_logprobs": []}])
def test_token_logprobs_have_bytes_and_top_logprobs(top: Json) -> None:
    body = {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": -1.0, **top}]}}]}
    logprobs = WHOLE[Endpoint.CHAT](body, "m")["choices"][0]["logprobs"]
    expected = [{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}]
    assert logprobs == {"content": expected, "refusal": None}


def test_a_chat_chunk() -> None:
    frame: Json = {"choices": [{"delta": {"content": "Hi", "role": None, "tool_calls": []}}], "usage": None}
    assert CHUNK[Endpoint.CHAT](frame | {"id": "i", "created": 1}, "m") == {
        "id": "i",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}],
    }


def test_a_completion_whole_or_a_chunk_of_one() -> None:
    for conform in (WHOLE[Endpoint.COMPLETIONS], CHUNK[Endpoint.COMPLETIONS]):
        body = conform({"id": "i", "created": 1, "choices": [{"text": None, "prompt_logprobs": None}]}, "m")
        assert body["object"] == "text_completion"
        assert body["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": None}]


def test_an_embedding_list() -> None:
    body = {"id": "e", "data": [{"embedding": [0.5]}, {"embedding": "AAAA", "index": 1}], "usage": {"prompt_tokens": 3}}
    assert WHOLE[Endpoint.EMBEDDINGS](body, "m") == {
        "id": "e",
        "object": "list",
        "model": "m",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5]},
            {"object": "embedding", "index": 1, "embedding": "AAAA"},
        ],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_usage_is_whole() -> None:
    body = WHOLE[Endpoint.CHAT]({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}, "m")
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert WHOLE[Endpoint.CHAT]({"usage": {}}, "m")["usage"]["total_tokens"] == 0
    assert "usage" not in WHOLE[Endpoint.CHAT]({"usage": None}, "m")


@pytest.mark.parametrize(
    ("frame", "only"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 1}}, True),
        ({"usage": {"prompt_tokens": 1}}, True),
        ({"choices": [{}], "usage": {"prompt_tokens": 1}}, False),
        ({"choices": [], "usage": None}, False),
        ({}, False),
    ],
)
def test_which_chunks_exist_only_for_their_usage(frame: Json, only: bool) -> None:
    assert is_usage_only(frame) is only


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.text(max_size=5), parts, max_size=2),
    max_leaves=5,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant") | st.none(),
        "content": VALUES,
        "refusal": VALUES,
        "reasoning_content": VALUES,
        "tool_calls": st.none()
        | st.lists(st.fixed_dictionaries({"id": SCALARS}, optional={"function": VALUES}), max_size=2),
        "vendor": VALUES,
    },
)
LOGPROBS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none()
        | st.lists(
            st.fixed_dictionaries({"token": SCALARS}, optional={"top_logprobs": VALUES, "bytes": VALUES}), max_size=2
        ),
        "refusal": VALUES,
        "tokens": VALUES,
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 3),
        "message": st.none() | MESSAGES,
        "delta": st.none() | MESSAGES,
        "text": VALUES,
        "finish_reason": VALUES,
        "logprobs": st.none() | LOGPROBS,
        "vendor": VALUES,
    },
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "created": VALUES,
        "choices": st.none() | st.lists(CHOICES, max_size=2) | VALUES,
        "usage": VALUES | st.fixed_dictionaries({"prompt_tokens": SCALARS}, optional={"completion_tokens": SCALARS}),
        "data": st.none() | st.lists(st.fixed_dictionaries({}, optional={"embedding": VALUES}), max_size=2),
        "vendor": VALUES,
    },
)
CONFORMS = st.sampled_from([*WHOLE.values(), *CHUNK.values()])


def said(value: Any, path: tuple[object, ...] = ()) -> dict[tuple[object, ...], Any]:
    """Path -> every scalar that says something."""
    if isinstance(value, dict):
        return {found: part for name, inner in value.items() for found, part in said(inner, (*path, name)).items()}
    if isinstance(value, list):
        return {found: part for name, inner in enumerate(value) for found, part in said(inner, (*path, name)).items()}
    return {} if value is None else {path: value}


@given(body=ANSWERS, conform=CONFORMS)
def test_whatever_passes_the_seam_conforms_once_and_for_all_and_loses_nothing(body: Json, conform: Any) -> None:
    try:
        answer("u", json.dumps(body).encode())
    except BackendProtocolError:
        return
    before = said(body)
    conformed = conform(copy.deepcopy(body), "public")
    after = said(conformed)
    ours = {"model", "object", "usage"}
    assert {path: part for path, part in before.items() if path[0] not in ours}.items() <= after.items()
    assert conform(copy.deepcopy(conformed), "public") == conformed
    assert conformed["model"] == "public"
