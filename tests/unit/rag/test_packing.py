from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.packing import packed
from rag.types import Passage
from tests.unit.rag.passages import passage


def count(text: str) -> int:
    return len(text) // 4 + 1


sentences = st.lists(st.text("abc de", min_size=1, max_size=60).map(lambda text: f"{text}."), max_size=12).map(" ".join)
passages = st.lists(sentences, max_size=8).map(lambda texts: [passage(i, text) for i, text in enumerate(texts)])


def test_the_best_come_first_and_whole() -> None:
    given_ = [passage(1, "one " * 20), passage(2, "two " * 20), passage(3, "three")]
    assert packed(given_, budget=1000, count=count) == given_


def test_what_does_not_fit_is_left_out_and_a_shorter_one_behind_it_is_not() -> None:
    first, long, short = passage(1, "a" * 200), passage(2, "b" * 400), passage(3, "c" * 40)
    assert packed([first, long, short], budget=120, count=count) == [first, short]


def test_a_passage_too_long_for_all_of_the_budget_is_cut_at_a_sentence() -> None:
    text = "The first sentence is here. The second one follows it. " + "The third one never ends " * 40
    [cut] = packed([passage(1, text)], budget=30, count=count)
    assert cut.text == "The first sentence is here. The second one follows it."


def test_a_sentence_too_long_for_it_is_cut_at_a_word() -> None:
    [cut] = packed([passage(1, "word " * 500)], budget=30, count=count)
    assert cut.text.endswith("word")
    assert 5 < len(cut.text) < 120


def test_the_same_words_twice_come_once() -> None:
    whole = passage(1, "Leave is 30 days. Ask your manager.", headings=("Leave",))
    again = passage(2, "Leave is 30  days.", headings=("Leave",))
    assert packed([whole, again], budget=1000, count=count) == [whole]


def test_the_same_words_under_other_headings_are_said_of_something_else() -> None:
    one = passage(1, "Sales rose.", headings=("Q1",))
    other = passage(2, "Sales rose.", headings=("Q2",))
    assert packed([one, other], budget=1000, count=count) == [one, other]


def test_no_budget_no_passages() -> None:
    assert packed([passage(1, "Some text.")], budget=0, count=count) == []


def _size(chosen: list[Passage]) -> int:
    return sum(count(f"{one.title}{''.join(one.headings)}{one.text}") for one in chosen)


@given(passages, st.integers(0, 400))
def test_the_budget_is_kept_and_so_is_the_order(drawn: list[Passage], budget: int) -> None:
    chosen = packed(drawn, budget=budget, count=count)
    assert _size(chosen) <= budget
    ids = [one.chunk_id for one in chosen]
    assert ids == sorted(ids)
    texts = {one.chunk_id: one.text for one in drawn}
    assert all(texts[one.chunk_id].startswith(one.text) for one in chosen)


@given(passages)
def test_with_room_enough_every_text_is_there(drawn: list[Passage]) -> None:
    chosen = packed(drawn, budget=100_000, count=count)
    kept = [" ".join(one.text.split()) for one in chosen]
    assert all(any(" ".join(one.text.split()) in text for text in kept) for one in drawn)
