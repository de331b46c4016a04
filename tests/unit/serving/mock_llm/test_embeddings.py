from __future__ import annotations

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.mock_llm.embeddings import DIMENSIONS, embed, embedding_reply
from serving.mock_llm.errors import ContextOverflow, InvalidRequest
from serving.mock_llm.wire.requests import EmbeddingRequest, TextsOrIds


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@given(st.text(max_size=200), st.integers(1, DIMENSIONS))
def test_every_text_becomes_a_unit_vector(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(sum(value * value for value in vector), 1.0, rel_tol=1e-9)
    assert vector == embed(text, dimensions)


def test_similar_texts_are_nearer_than_others() -> None:
    question = embed("What was Apple's revenue in Q3 2024?")
    reworded = embed("How much revenue did Apple report for Q3 2024?")
    unrelated = embed("The recipe needs two eggs and a cup of flour.")
    assert cosine(question, reworded) > 0.6
    assert abs(cosine(question, unrelated)) < 0.2


def test_base64_holds_the_same_numbers() -> None:
    plain = embedding_reply(EmbeddingRequest(input="revenue", dimensions=8), model="m", max_model_len=100)
    packed = embedding_reply(
        EmbeddingRequest(input="revenue", dimensions=8, encoding_format="base64"), model="m", max_model_len=100
    )
    numbers = struct.unpack("<8f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(numbers) == pytest.approx(plain["data"][0]["embedding"], abs=1e-6)


@pytest.mark.parametrize(
    ("given_", "count", "tokens"),
    [("one two", 1, 2), (["one two", "three"], 2, 3), ([5, 6, 7], 1, 3), ([[5, 6], [7]], 2, 3)],
)
def test_all_kinds_of_input(given_: TextsOrIds, count: int, tokens: int) -> None:
    reply = embedding_reply(EmbeddingRequest(input=given_), model="m", max_model_len=100)
    assert [row["index"] for row in reply["data"]] == list(range(count))
    assert reply["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


@pytest.mark.parametrize("given_", ["", [], ["a", ""], [[]], ["a"] * 2049])
def test_empty_and_oversized_inputs_are_refused(given_: TextsOrIds) -> None:
    with pytest.raises(InvalidRequest) as refused:
        embedding_reply(EmbeddingRequest(input=given_), model="m", max_model_len=100)
    assert refused.value.param == "input"


def test_too_many_dimensions_or_tokens_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="'dimensions' can be at most 384"):
        embedding_reply(EmbeddingRequest(input="a", dimensions=385), model="m", max_model_len=100)
    with pytest.raises(ContextOverflow, match=r"length is 5 tokens[.] However, input 1 has 6"):
        embedding_reply(EmbeddingRequest(input=["a", "a a a a a a"]), model="m", max_model_len=5)
