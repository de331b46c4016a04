"""What is built is checked by another implementation of JSON Schema than the one that built it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.mock_llm.structured.build import build
from serving.mock_llm.structured.check import SchemaError
from serving.mock_llm.structured.pattern import example_of

TEXT = "Revenue was $5.2 million in Q3 2024, up 12 percent."

SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"why": {"type": "string"}, "amount": {"type": "number"}}, "required": ["amount"]},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "required": ["free"]},
    {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer", "minimum": 7}},
    {"type": "integer", "minimum": 10, "maximum": 20, "multipleOf": 7},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    {"type": "number", "multipleOf": 0.25, "minimum": 100.1},
    {"type": "integer", "maximum": -40},
    {"type": "string", "minLength": 200},
    {"type": "string", "maxLength": 5},
    {"type": "string", "minLength": 3, "maxLength": 3},
    {"type": "string", "pattern": "^[A-Z]{2,4}-\\d{3}$"},
    {"type": "string", "pattern": "^(?:Q[1-4] )?20\\d\\d$"},
    {"type": "string", "pattern": "a+", "minLength": 6},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "ipv4"},
    {"type": "string", "format": "uri"},
    {"enum": ["red", "green", 3, None]},
    {"type": "string", "enum": ["up", "down"]},
    {"const": {"a": [1, True]}},
    {"type": ["null", "integer"]},
    {"type": "null"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False},
    {"type": "array", "maxItems": 0},
    {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "null"}]},
    {"oneOf": [{"type": "number"}, {"type": "integer"}, {"type": "boolean"}]},
    {"type": "object", "oneOf": [{"required": ["a"], "properties": {"a": {"type": "integer"}}}], "minProperties": 1},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
               {"properties": {"b": {"type": "integer"}}, "required": ["b"]}]},
    {"allOf": [{"minimum": 3}, {"minimum": 8}], "type": "integer"},
    {"$defs": {"money": {"type": "object", "properties": {"amount": {"type": "number"}, "currency": {"enum": ["USD"]}},
                         "required": ["amount", "currency"], "additionalProperties": False}},
     "type": "object", "properties": {"revenue": {"$ref": "#/$defs/money"}}, "required": ["revenue"]},
    {"$defs": {"node": {"type": "object", "required": ["value"],
                        "properties": {"value": {"type": "integer"}, "left": {"$ref": "#/$defs/node"},
                                       "right": {"$ref": "#/$defs/node"},
                                       "all": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
     "$ref": "#/$defs/node"},
    {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
    {"properties": {"a": {"items": {"minimum": 4}}}, "required": ["a"]},
    {},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: re.sub(r"\W+", "-", str(schema))[:60])
def test_the_value_fits_its_schema(schema: dict[str, Any]) -> None:
    value = build(schema, TEXT)
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(value)


SCALARS = st.one_of(
    st.builds(
        lambda low, size, kind: {"type": kind, "minimum": low, "maximum": low + size},
        st.integers(-1000, 1000), st.integers(0, 50), st.sampled_from(["integer", "number"]),
    ),
    st.builds(
        lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size},
        st.integers(0, 80), st.integers(0, 80),
    ),
    st.builds(lambda options: {"enum": options}, st.lists(st.text(max_size=5) | st.integers(), min_size=1, max_size=4)),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"format": "date"}]),
)  # fmt: skip
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)),
        st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=4).map(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": list(properties)[:2],
                "additionalProperties": False,
            }
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(NESTED)
def test_the_value_fits_any_schema_made_of_known_parts(schema: dict[str, Any]) -> None:
    jsonschema_rs.validator_for(schema).validate(build(schema, TEXT))


def test_the_answer_goes_into_the_first_string_and_its_number_into_a_number() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}, "answer": {"type": "string"}}}
    assert build(schema, TEXT) == {"amount": 5.2, "answer": TEXT}


def test_an_option_that_the_answer_mentions_is_preferred() -> None:
    assert build({"enum": ["down", "up"]}, TEXT) == "up"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (False, "no value can be built"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no value can be built"),
        ({"enum": []}, "no value can be built"),
        ({"type": "text"}, "there is no type 'text'"),
        ({"type": "object", "required": 3}, "malformed"),
        ({"not": {}}, "the keyword 'not' is not supported"),
        ({"$ref": "#/$defs/missing"}, "points to nothing"),
        ({"$ref": "https://example.com/schema"}, "cannot be followed"),
        ({"$ref": "#"}, "cannot be followed"),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "nests deeper"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "nests deeper"),
        ({"type": "string", "pattern": "(?=a)b"}, "is not supported"),
        ({"type": "string", "pattern": "a{1000000}"}, "more than 10000 characters"),
        ({"type": "string", "pattern": "(a"}, "lacks a closing bracket"),
        ({"type": "string", "pattern": "[a"}, "ends too early"),
        ({"type": "string", "minLength": 10**9}, "more than 100000 characters"),
        ({"type": "array", "minItems": 10**9}, "more than 1000 items"),
        ({"type": "integer", "multipleOf": 0}, "malformed"),
    ],
)
def test_a_schema_that_cannot_be_followed_says_why(schema: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)):
        build(schema, TEXT)


@pytest.mark.parametrize(
    "pattern",
    [r"^\d{4}-\d{2}$", r"[^a-z]x", r"(?:ab|cd)+\.json", r"\w+@\w+\.com", "^$", "[-a]", r"[\d_]{3}", "."],
)
def test_examples_match_their_pattern(pattern: str) -> None:
    assert re.search(pattern, example_of(pattern))
