"""A request is right, or refused with the name of the parameter; no body leads to anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.schemas.parse import REQUEST_TYPES, check_request, parse_json
from serving.types import Endpoint, Json

CHAT, COMPLETIONS, EMBEDDINGS = Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS
HI: Json = {"messages": [{"role": "user", "content": "Hi"}]}
TOOL: Json = {"type": "function", "function": {"name": "f"}}
MOST_IDS = 2_097_152
MINIMAL: dict[Endpoint, Json] = {CHAT: HI, COMPLETIONS: {"prompt": "Hi"}, EMBEDDINGS: {"input": "Hi"}}


def refusal(act: Callable[[], object]) -> InvalidRequest | None:
    try:
        act()
    except InvalidRequest as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"null", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"text"', "invalid_json"),
        (b"{}{}", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": 1e999}', "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b'{"a": ' + b"[" * 50_000, "invalid_json"),
        (b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "invalid_json"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "invalid_json"),
        (b'{"a": "\xff"}', None),
        (b"\xef\xbb\xbf{}", "invalid_json"),
    ],
)
def test_a_body_that_is_no_json_object(raw: bytes, code: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(raw)
    assert refused.value.param == "body"
    assert refused.value.code in ({"invalid_json", "invalid_utf8"} if code is None else {code})


@given(raw=st.binary(max_size=200))
def test_no_bytes_lead_to_anything_but_an_object_or_a_refusal(raw: bytes) -> None:
    refused = refusal(lambda: parse_json(raw))
    assert refused is None or refused.param == "body"


@pytest.mark.parametrize(
    ("endpoint", "changes"),
    [
        (CHAT, {}),
        (CHAT, {"model": None, "max_tokens": None, "n": None, "stop": None, "stream": None, "stream_options": None}),
        (CHAT, {"temperature": 0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2.0}),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True, "vendor": 1}}),
        (CHAT, {"vendor_field": {"deep": [1]}, "seed": 2**70, "logit_bias": {"50256": -100}}),
        (CHAT, {"tools": [TOOL], "tool_choice": "required"}),
        (CHAT, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (CHAT, {"tool_choice": "none"}),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}),
        (CHAT, {"logprobs": True, "top_logprobs": 20}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]}]}),
        (CHAT, {"messages": [{"role": "tool", "content": "42", "tool_call_id": "c"}]}),
        (COMPLETIONS, {"prompt": ""}),
        (COMPLETIONS, {"prompt": ["a", "b"], "max_tokens": 0, "echo": True, "suffix": "x"}),
        (COMPLETIONS, {"prompt": [1, 2, 3], "logprobs": 0}),
        (COMPLETIONS, {"prompt": [[1, 2], [3]], "n": 2, "best_of": 2}),
        (EMBEDDINGS, {"input": [""], "dimensions": 3, "encoding_format": "base64"}),
        (EMBEDDINGS, {"input": list(range(3000))}),  # one input of 3,000 tokens
        (EMBEDDINGS, {"input": [[0]] * 2048}),
        (EMBEDDINGS, {"input": [0] * MOST_IDS}),
        (CHAT, {"messages": HI["messages"] * 10_000}),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_requests_that_are_right(endpoint: Endpoint, changes: Json) -> None:
    check_request(endpoint, MINIMAL[endpoint] | changes)


MISSING = "missing_required_parameter"


@pytest.mark.parametrize(
    ("endpoint", "changes", "param"),
    [
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": None}, "messages"),
        (CHAT, {"messages": HI["messages"] * 10_001}, "messages"),
        (CHAT, {"messages": "Hi"}, "messages"),
        (CHAT, {"messages": [3]}, "messages[0]"),
        (CHAT, {"messages": [*HI["messages"], {"role": "robot", "content": ""}]}, "messages[1].role"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages[0].content"),
        (CHAT, {"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": 7}]}]}, "messages[0].content[0].type"),
        (CHAT, {"messages": [{"role": "tool", "content": "42"}]}, "messages[0].tool_call_id"),
        (CHAT, {"model": ""}, "model"),
        (CHAT, {"model": "x" * 257}, "model"),
        (CHAT, {"model": 4}, "model"),
        (CHAT, {"max_tokens": 0}, "max_tokens"),
        (CHAT, {"max_tokens": -1}, "max_tokens"),
        (CHAT, {"max_tokens": "5"}, "max_tokens"),
        (CHAT, {"max_tokens": 1.5}, "max_tokens"),
        (CHAT, {"max_tokens": True}, "max_tokens"),
        (CHAT, {"max_completion_tokens": 0}, "max_completion_tokens"),
        (CHAT, {"n": 0}, "n"),
        (CHAT, {"n": 129}, "n"),
        (CHAT, {"temperature": 2.1}, "temperature"),
        (CHAT, {"temperature": "hot"}, "temperature"),
        (CHAT, {"top_p": -0.1}, "top_p"),
        (CHAT, {"presence_penalty": 3}, "presence_penalty"),
        (CHAT, {"frequency_penalty": -3}, "frequency_penalty"),
        (CHAT, {"stop": [1]}, "stop[0]"),
        (CHAT, {"stop": {}}, "stop"),
        (CHAT, {"seed": 1.5}, "seed"),
        (CHAT, {"stream": "yes"}, "stream"),
        (CHAT, {"stream": 1}, "stream"),
        (CHAT, {"stream_options": {"include_usage": True}}, "stream_options"),
        (CHAT, {"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        (CHAT, {"logit_bias": {"1": "a"}}, "logit_bias[...]"),
        (CHAT, {"user": 3}, "user"),
        (CHAT, {"top_logprobs": 3}, "top_logprobs"),
        (CHAT, {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (CHAT, {"tools": {}}, "tools"),
        (CHAT, {"tool_choice": "required"}, "tool_choice"),
        (CHAT, {"tool_choice": "sometimes", "tools": [TOOL]}, "tool_choice"),
        (CHAT, {"response_format": "json"}, "response_format"),
        (COMPLETIONS, {"prompt": []}, "prompt"),
        (COMPLETIONS, {"prompt": None}, "prompt"),
        (COMPLETIONS, {"prompt": ["a", 1]}, "prompt[1]"),
        (COMPLETIONS, {"prompt": [1, "a"]}, "prompt[0]"),
        (COMPLETIONS, {"prompt": [[1], "a"]}, "prompt[1]"),
        (COMPLETIONS, {"prompt": [[]]}, "prompt[0]"),
        (COMPLETIONS, {"prompt": [True]}, "prompt[0]"),
        (COMPLETIONS, {"prompt": [-1]}, "prompt[0]"),
        (COMPLETIONS, {"prompt": ["a"] * 2049}, "prompt"),
        (COMPLETIONS, {"prompt": [1] * (MOST_IDS + 1)}, "prompt"),
        (COMPLETIONS, {"prompt": [[1] * (MOST_IDS // 2)] * 3}, "prompt"),
        (COMPLETIONS, {"prompt": [[1], [2, -1]]}, "prompt[1]"),
        (COMPLETIONS, {"prompt": [[1], [2, 2.0]]}, "prompt[1]"),
        (COMPLETIONS, {"best_of": 1, "n": 2}, "best_of"),
        (COMPLETIONS, {"max_tokens": -1}, "max_tokens"),
        (COMPLETIONS, {"stream_options": {}}, "stream_options"),
        (EMBEDDINGS, {"input": {}}, "input"),
        (EMBEDDINGS, {"input": [None]}, "input[0]"),
        (EMBEDDINGS, {"dimensions": 0}, "dimensions"),
        (EMBEDDINGS, {"encoding_format": "hex"}, "encoding_format"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_wrong_value_is_refused_by_name(endpoint: Endpoint, changes: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(endpoint, MINIMAL[endpoint] | changes)
    assert refused.value.param == param
    assert refused.value.code == "invalid_value"
    assert param.partition("[")[0].partition(".")[0] in refused.value.message or "message" in refused.value.message


@pytest.mark.parametrize(
    ("endpoint", "body", "param"),
    [
        (CHAT, {}, "messages"),
        (CHAT, {"messages": [{"content": "Hi"}]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        (CHAT, HI | {"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
        (CHAT, HI | {"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        (CHAT, HI | {"response_format": {}}, "response_format.type"),
        (COMPLETIONS, {}, "prompt"),
        (EMBEDDINGS, {}, "input"),
    ],
)
def test_a_missing_parameter_is_named(endpoint: Endpoint, body: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(endpoint, body)
    assert (refused.value.param, refused.value.code) == (param, MISSING)
    assert refused.value.message == f"Missing required parameter: '{param}'."


@pytest.mark.parametrize(
    ("endpoint", "changes", "choices", "generations", "limit"),
    [
        (CHAT, {}, 1, 1, None),
        (CHAT, {"n": 3, "max_tokens": 5}, 3, 3, ("max_tokens", 5)),
        (CHAT, {"max_tokens": 5, "max_completion_tokens": 6}, 1, 1, ("max_completion_tokens", 6)),
        (CHAT, {"max_tokens": 7, "max_completion_tokens": 6}, 1, 1, ("max_tokens", 7)),
        (COMPLETIONS, {"max_tokens": 0}, 1, 1, ("max_tokens", 0)),
        (COMPLETIONS, {"prompt": ["a", "b"], "n": 2, "best_of": 3}, 4, 6, None),
        (COMPLETIONS, {"best_of": 3}, 1, 3, None),
        (COMPLETIONS, {"prompt": [1, 2, 3], "n": 2}, 2, 2, None),
        (COMPLETIONS, {"prompt": [[1], [2]]}, 2, 2, None),
        (EMBEDDINGS, {"input": ["a", "b"]}, 0, 0, None),
    ],
)
def test_how_many_answers_of_which_length(
    endpoint: Endpoint, changes: Json, choices: int, generations: int, limit: tuple[str, int] | None
) -> None:
    request = check_request(endpoint, MINIMAL[endpoint] | changes)
    assert (request.choices, request.generations, request.output_limit) == (choices, generations, limit)


@pytest.mark.parametrize(
    ("endpoint", "changes", "tokens"),
    [
        (CHAT, {"messages": [{"role": "user", "content": "x" * 400}]}, 4 + 101),
        (CHAT, {"messages": [{"role": "user", "content": "日本" * 30}]}, 4 + 61),
        (CHAT, {"messages": [{"role": "assistant"}]}, 4),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}, {"type": "image_url"}]}]}, 770),
        (COMPLETIONS, {"prompt": [1, 2, 3]}, 3),
        (COMPLETIONS, {"prompt": [[1, 2], [3]]}, 3),
        (EMBEDDINGS, {"input": ["xxxx", ""]}, 3),
    ],
)
def test_estimates_of_the_prompt(endpoint: Endpoint, changes: Json, tokens: int) -> None:
    assert check_request(endpoint, MINIMAL[endpoint] | changes).prompt_tokens() == tokens


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
JSON = st.recursive(
    SCALARS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=9), parts, max_size=3),
    max_leaves=10,
)
NAMES = sorted({name for kind in REQUEST_TYPES.values() for name in kind.__struct_fields__})
LIKELY = st.sampled_from(
    [True, 1, "auto", "user", "text", ["a"], [1], [[1]], {"type": "text"}, {"include_usage": True}]
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(NAMES, LIKELY | JSON),
        "messages": JSON
        | st.lists(st.fixed_dictionaries({"role": LIKELY | SCALARS}, optional={"content": JSON}), max_size=3),
    },
)


@settings(max_examples=400, deadline=None)
@given(endpoint=st.sampled_from(Endpoint), body=BODIES | st.dictionaries(st.text(max_size=9), JSON, max_size=4))
def test_no_json_leads_to_anything_but_a_request_or_a_refusal_that_names_a_parameter(
    endpoint: Endpoint, body: dict[str, Any]
) -> None:
    parsed = parse_json(json.dumps(body).encode())
    refused = refusal(lambda: check_request(endpoint, parsed))
    if refused is not None:
        assert refused.param
        assert refused.code
        assert json.loads(refused.encoded())["error"]["message"]
        return
    request = check_request(endpoint, parsed)
    assert request.prompt_tokens() >= 0
    assert request.generations >= request.choices >= 0
    assert isinstance(request.stream, bool | None)


def test_a_body_nested_to_the_limit_is_checked() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    with pytest.raises(InvalidRequest):
        check_request(COMPLETIONS, {"prompt": deep})
