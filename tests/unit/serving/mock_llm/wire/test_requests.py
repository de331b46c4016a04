from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.mock_llm.errors import InvalidRequest
from serving.mock_llm.wire.requests import ChatRequest, CompletionRequest, EmbeddingRequest, TextsOrIds, decode, rows_of

MESSAGES = '"messages":[{"role":"user","content":"x"}]'


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("{}", "messages"),
        ('{"messages":[]}', "messages"),
        ('{"messages":"x"}', "messages"),
        ('{"messages":[{"content":"x"}]}', "messages[0].role"),
        ('{"messages":[{"role":"robot","content":"x"}]}', "messages[0].role"),
        ('{"messages":[{"role":"user","content":7}]}', "messages[0].content"),
        (f'{{{MESSAGES},"max_tokens":-1}}', "max_tokens"),
        (f'{{{MESSAGES},"max_tokens":"many"}}', "max_tokens"),
        (f'{{{MESSAGES},"max_tokens":1e400}}', "max_tokens"),
        (f'{{{MESSAGES},"n":0}}', "n"),
        (f'{{{MESSAGES},"n":129}}', "n"),
        (f'{{{MESSAGES},"temperature":3}}', "temperature"),
        (f'{{{MESSAGES},"stream":"yes"}}', "stream"),
        (f'{{{MESSAGES},"stop":[1]}}', "stop[0]"),
        (f'{{{MESSAGES},"tool_choice":"sometimes"}}', "tool_choice"),
        (f'{{{MESSAGES},"response_format":{{"type":"xml"}}}}', "response_format.type"),
        (f'{{{MESSAGES},"top_logprobs":21}}', "top_logprobs"),
    ],
)
def test_a_wrong_field_is_named(body: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode(body.encode(), ChatRequest)
    assert refused.value.param == param
    assert refused.value.status == 400


def test_unknown_fields_and_null_are_accepted() -> None:
    request = decode(f'{{{MESSAGES},"max_tokens":null,"user":"u","new_thing":[1]}}'.encode(), ChatRequest)
    assert request.max_tokens is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'"\xc3"', b"[" * 100_000, b"nul", b'{"messages":[{"role":"user\xff"}]}']
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(body, ChatRequest)


@given(st.binary(max_size=200))
def test_no_body_leads_to_another_error(body: bytes) -> None:
    for attempt in (
        lambda: decode(body, ChatRequest),
        lambda: decode(body, CompletionRequest),
        lambda: decode(body, EmbeddingRequest),
    ):
        with pytest.raises(InvalidRequest):
            attempt()


@pytest.mark.parametrize(
    ("given_", "rows"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_inputs_come_in_four_forms(given_: TextsOrIds, rows: list[str | list[int]]) -> None:
    assert rows_of(given_, param="input") == rows


@pytest.mark.parametrize("given_", ["", [], ["a", ""], [[]], [1, "a"], ["a", [1]], [[1], 2]])
def test_empty_or_mixed_inputs_are_refused(given_: TextsOrIds) -> None:
    with pytest.raises(InvalidRequest, match="'input'"):
        rows_of(given_, param="input")


@pytest.mark.parametrize(("stop", "expected"), [("null", []), ('"a"', ["a"]), ('["a","b"]', ["a", "b"]), ("[]", [])])
def test_stop_strings_come_in_several_forms(stop: str, expected: list[str]) -> None:
    assert decode(f'{{{MESSAGES},"stop":{stop}}}'.encode(), ChatRequest).stop_strings() == expected


@pytest.mark.parametrize("stop", ['""', '["a",""]', str(["a"] * 17).replace("'", '"')])
def test_empty_or_too_many_stop_strings_are_refused(stop: str) -> None:
    with pytest.raises(InvalidRequest, match="'stop'"):
        decode(f'{{{MESSAGES},"stop":{stop}}}'.encode(), ChatRequest).stop_strings()


def test_stream_options_need_a_stream() -> None:
    options = '"stream_options":{"include_usage":true}'
    assert decode(f'{{{MESSAGES},"stream":true,{options}}}'.encode(), ChatRequest).wants_usage()
    with pytest.raises(InvalidRequest, match="'stream_options' is only allowed"):
        decode(f"{{{MESSAGES},{options}}}".encode(), ChatRequest).wants_usage()
