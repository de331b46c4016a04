from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.tools.benchmark.prompts import PromptWriter, words_for_tokens


def test_a_prompt_repeats_with_seed_and_number_and_with_nothing_else() -> None:
    writer = PromptWriter(seed=1, words=100)
    assert writer.prompt(5) == PromptWriter(seed=1, words=100).prompt(5)
    others = {writer.prompt(number) for number in range(50)} | {PromptWriter(seed=2, words=100).prompt(5)}
    assert len(others) == 51
    assert len(writer.prompt(5).split()) == 100


def test_a_shared_beginning_is_followed_by_what_is_each_prompts_own() -> None:
    writer = PromptWriter(seed=1, words=60, shared_words=40)
    first, second = (writer.prompt(number).split() for number in (1, 2))
    assert first[:40] == second[:40]
    assert first[40:] != second[40:]
    assert len(first) == len(second) == 60


@given(per_word=st.integers(1, 4), template=st.integers(0, 500), tokens=st.integers(1, 100_000))
def test_words_that_make_so_many_tokens(per_word: int, template: int, tokens: int) -> None:
    counted = ((8, template + 8 * per_word), (64, template + 64 * per_word))
    words = words_for_tokens(tokens, counted=counted)
    assert words >= 1
    if tokens > template + per_word:
        assert abs(template + words * per_word - tokens) <= per_word / 2


def test_a_server_whose_counts_make_no_sense_gets_a_word_for_a_token() -> None:
    assert words_for_tokens(300, counted=((8, 10), (64, 10))) == 300
