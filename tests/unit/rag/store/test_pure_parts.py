"""What the store knows without Postgres."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.store.half_vectors import HalfVector
from rag.store.rows import joined_headings, split_headings
from rag.store.schema import is_new_enough
from rag.store.search_queries import search_query, steps
from rag.store.statements import storable


def test_words_are_looked_for_together_then_the_most_telling_ones() -> None:
    assert steps(["Harbor Foods", "Q3 2024", "revenue"]) == [
        "Harbor Foods Q3 2024 revenue",
        "Harbor Foods Q3 2024",
        "Harbor Foods",
        "Q3 2024 revenue",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], ["a", "", "", ""]),
        (["a", "b"], ["a b", "a", "", "b"]),
        (["a", "a"], ["a a", "a", "", ""]),
        (list("abcdefgh"), ["a b c d e f g h", "a b c d", "a", "b c d e"]),
    ],
)
def test_nothing_is_looked_for_twice(words: list[str], expected: list[str]) -> None:
    assert steps(words) == expected


def test_a_vector_goes_as_pgvector_reads_it() -> None:
    sent = HalfVector.of(struct.pack("<3f", 1.0, -0.5, 0.0))
    assert struct.unpack(">HH3e", sent) == (3, 0, 1.0, -0.5, 0.0)


@given(st.lists(st.text(min_size=1)))
def test_headings_come_back_apart(headings: list[str]) -> None:
    expected = tuple(heading.replace("\x1f", " ") for heading in headings)
    assert split_headings(joined_headings(tuple(headings))) == expected


@given(st.text(alphabet=st.characters(blacklist_categories=())))
def test_postgres_takes_every_text(text: str) -> None:
    cleaned = storable(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert storable(cleaned) == cleaned


@pytest.mark.parametrize(
    ("version", "enough"), [("0.8.0", True), ("0.8.5", True), ("0.10", True), ("1.0", True), ("0.7.4", False)]
)
def test_pgvector_must_walk_on(version: str, enough: bool) -> None:
    assert is_new_enough(version) is enough
    assert not is_new_enough("none")


def test_a_query_says_nothing_of_what_is_not_asked_for() -> None:
    words_only = search_query(384, meaning=False, exact=False, words=True, words_indexed=True)
    assert b"embedding" not in words_only
    meaning_only = search_query(384, meaning=True, exact=True, words=False, words_indexed=True)
    assert b"tsquery" not in meaning_only
