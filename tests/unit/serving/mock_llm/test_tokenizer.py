from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.mock_llm.tokenizer import tokenize, tokens_of_ids

ENGLISH = (
    "Revenue for the third quarter was $5.2 million, up 12% from the same period a year ago, as demand for its "
    "services grew in every region and the new warehouse in Rotterdam opened two months early."
)


@given(st.text())
def test_joined_tokens_are_the_text(text: str) -> None:
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert all(tokens)


def test_english_has_about_four_characters_a_token() -> None:
    assert 3.0 < len(ENGLISH) / len(tokenize(ENGLISH)) < 5.0


def test_a_prompt_of_ids_has_one_token_for_each() -> None:
    assert tokens_of_ids([7, 7, 8]) == ["<|7|>", "<|7|>", "<|8|>"]
