"""Marks in answers: which become citations, which are taken out, and that no way of cutting a stream changes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import MOST_CITATIONS, CitationReader, MarkOutcome
from tests.unit.rag.passages import passage

PASSAGES = [
    passage(1, "Revenue was $412.6 million in Q3 2024, up 4.1%."),
    passage(2, "Operating profit was 55,700 thousand."),
    passage(3, "Employees have 25 days of leave a year."),
]


def read(text: str | Sequence[str], *, checks: bool = True) -> tuple[str, CitationReader]:
    reader = CitationReader(PASSAGES, checks=checks)
    parts = [text] if isinstance(text, str) else text
    written = "".join([reader.feed(part) for part in parts])
    return written + reader.finish(), reader


def cited(reader: CitationReader, text: str) -> list[tuple[int, str]]:
    return [(citation.label, text[citation.start : citation.end]) for citation in reader.citations]


@pytest.mark.parametrize(
    ("answer", "written", "marks"),
    [
        ("Revenue was $412.6 million [1].", "Revenue was $412.6 million [1].", [(1, "[1]")]),
        ("Revenue was $412.6 million, up 4.1%. [1]", "Revenue was $412.6 million, up 4.1%. [1]", [(1, "[1]")]),
        ("It was $412.6 million[1] and $55.7 million [2].", "It was $412.6 million[1] and $55.7 million [2].",
         [(1, "[1]"), (2, "[2]")]),
        ("Both: $412.6 million and $55.7 million [1][2].", "Both: $412.6 million and $55.7 million [1][2].",
         [(1, "[1]"), (2, "[2]")]),
        ("Both: $412.6 million and $55.7 million [1, 2].", "Both: $412.6 million and $55.7 million [1, 2].",
         [(1, "[1, 2]"), (2, "[1, 2]")]),
        ("They rest well [3].", "They rest well [3].", [(3, "[3]")]),
        # Not retrieved
        ("Revenue was $412.6 million [4].", "Revenue was $412.6 million.", []),
        ("Revenue was $412.6 million [1, 9].", "Revenue was $412.6 million [1].", [(1, "[1]")]),
        ("Revenue was $412.6 million [1][9].", "Revenue was $412.6 million [1].", [(1, "[1]")]),
        # Does not have the figures
        ("Revenue was $999.9 million [1].", "Revenue was $999.9 million.", []),
        ("Revenue was $412.6 billion [1].", "Revenue was $412.6 billion.", []),
        ("Revenue was $412.6 million [2].", "Revenue was $412.6 million.", []),
        ("Revenue was $412.6 million [1][3].", "Revenue was $412.6 million [1].", [(1, "[1]")]),
        ("Up 4.1% to $500.5 million [1].", "Up 4.1% to $500.5 million.", []),
        ("There are 25 days [3]. Revenue was $1.5 million [3].", "There are 25 days [3]. Revenue was $1.5 million.",
         [(3, "[3]")]),
        ("- Revenue: $412.6 million [1]\n- Profit: $55.7 million [2]",
         "- Revenue: $412.6 million [1]\n- Profit: $55.7 million [2]", [(1, "[1]"), (2, "[2]")]),
        # No marks
        ("`rows[1]` and ```\nrows[9]\n``` [0] [2024] [a] []", "`rows[1]` and ```\nrows[9]\n``` [0] [2024] [a] []", []),
        ("See [", "See [", []),
        ("See [1", "See [1", []),
        ("See [1, ", "See [1, ", []),
        ("Trailing  ", "Trailing  ", []),
        # A link would take the reader elsewhere
        ("It was $412.6 million [1](https://evil.example).", "It was $412.6 million(https://evil.example).", []),
    ],
)  # fmt: skip
def test_checked(answer: str, written: str, marks: list[tuple[int, str]]) -> None:
    found, reader = read(answer)
    assert found == written
    assert cited(reader, written) == marks


def test_unchecked_the_text_stays_and_what_is_known_is_cited() -> None:
    answer = "Revenue was $999.9 million [1], [4] and [2, 7](https://x.example) `[1]`."
    found, reader = read(answer, checks=False)
    assert found == answer
    assert cited(reader, answer) == [(1, "[1]")]
    assert reader.outcomes == {MarkOutcome.KEPT: 1, MarkOutcome.UNKNOWN: 3}


def test_unchecked_nothing_is_held_back() -> None:
    reader = CitationReader(PASSAGES, checks=False)
    assert [reader.feed(part) for part in ("It was [", "1", "] so")] == ["It was [", "1", "] so"]
    assert reader.finish() == ""
    assert [(each.start, each.end) for each in reader.citations] == [(7, 10)]


def test_what_became_of_marks_is_counted() -> None:
    _, reader = read("$412.6 million [1], $1.5 million [2], and so on [7][8].")
    assert +reader.outcomes == {MarkOutcome.KEPT: 1, MarkOutcome.UNSUPPORTED: 1, MarkOutcome.UNKNOWN: 2}


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (["Revenue", " was"], ["Revenue", " was"]),
        (["Revenue ", "was"], ["Revenue", " was"]),
        (["million ", "[", "1", "]", "."], ["million", "", "", "", " [1]."]),
        (["a [", "b]"], ["a", " [b]"]),
        (["list[", "x"], ["list", "[x"]),
        (["code `", "`", "`x"], ["code ", "", "```x"]),
    ],
)
def test_no_more_is_held_back_than_a_mark_may_need(parts: list[str], shown: list[str]) -> None:
    reader = CitationReader(PASSAGES, checks=True)
    assert [reader.feed(part) for part in parts] == shown


def test_an_answer_of_marks_alone_has_a_bounded_number_of_citations() -> None:
    found, reader = read("well [1] " * 1000)
    assert len(reader.citations) == MOST_CITATIONS
    assert found == "well [1] " * 1000


PIECES = st.sampled_from(
    ["[1]", "[2]", "[9]", "[1, 2]", "[1,9]", "[", "]", "(", " ", "  ", "\n", "`", "```", "4.1%", "$412.6 million", ". ",
     ",", "1", "word", "é", "[2024]", "[0]", "\u00a0"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40), st.lists(st.integers(0, 200), max_size=20), st.booleans())
def test_cut_anywhere_the_same_comes_out(words: list[str], cuts: list[int], checks: bool) -> None:
    text = "".join(words)
    at = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    whole, one = read(text, checks=checks)
    pieces, other = read([text[start:end] for start, end in pairwise(at)], checks=checks)
    assert (whole, one.citations, one.outcomes) == (pieces, other.citations, other.outcomes)
    for citation in one.citations:
        assert str(citation.label) in whole[citation.start : citation.end]
        assert whole[citation.start] == "["
        assert whole[citation.end - 1] == "]"
    if not checks:
        assert whole == text


@pytest.mark.parametrize("mark", ["[1]", "[1] ", "[1, 2] ", "`", " ", "["])
def test_an_answer_of_marks_alone_holds_up_nobody(mark: str) -> None:
    text = mark * 4_000 + "x"
    began_s = time.process_time()
    whole, _ = read(text)
    # Milliseconds; what this is to find takes seconds.
    assert time.process_time() - began_s < 0.5
    assert whole == read([text[:7_001], text[7_001:]])[0]
