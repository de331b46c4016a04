"""Text of any kind to pieces of a bounded size, with nothing lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentTooLarge, EmptyDocument
from rag.parsing.blocks import Block, Kind
from rag.parsing.cleaning import clean
from rag.parsing.splitting import split
from rag.parsing.tokens import estimated_tokens
from rag.types import Piece, ReadDocument

Read = Callable[..., ReadDocument]
WORD = re.compile(r"\w+")
_word = st.text(st.characters(codec="utf-8", categories=("Ll", "Lu", "Nd")), min_size=1, max_size=12)
_mark = st.sampled_from([" ", "\n", ". ", "\n\n", ", ", "\r\n", "\t"])


def pieces_of(*blocks: Block, title: str = "", tokens: int = 60) -> list[Piece]:
    return list(split(blocks, title=title, tokens=tokens))


@given(st.lists(st.tuples(_word, _mark), min_size=1, max_size=300), st.integers(40, 200))
def test_every_word_of_a_text_is_in_its_pieces_in_order(parts: list[tuple[str, str]], tokens: int) -> None:
    text = "".join(word + mark for word, mark in parts)
    pieces = pieces_of(Block(text=text), tokens=tokens)
    assert WORD.findall(" ".join(piece.text for piece in pieces)) == WORD.findall(clean(text))
    assert all(estimated_tokens(piece.text) <= tokens for piece in pieces)


def test_it_is_cut_between_sentences() -> None:
    sentence = "The pump must be switched off before the cover is opened. "
    pieces = pieces_of(Block(text=sentence * 40))
    assert len(pieces) > 5
    assert all(piece.text.startswith("The pump") and piece.text.endswith("opened.") for piece in pieces)


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "1," * 40_000, "漢字" * 25_000, "a\n" * 50_000, "a" + "\u0301" * 20_000]
)
def test_time_grows_with_the_length_only(text: str) -> None:
    began = time.process_time()
    pieces = pieces_of(Block(text=text), tokens=200)
    assert time.process_time() - began < 10  # minutes, when each piece looks through all that is left
    assert len("".join(piece.text for piece in pieces).replace("\n", "")) == len(text.replace("\n", ""))


def test_title_and_headings_take_their_part_of_a_piece() -> None:
    text = "Short words fill the page. " * 100
    bare, under = pieces_of(Block(text=text)), pieces_of(Block(text=text, headings=("A heading of a few words",)))
    assert len(under) > len(bare)
    assert {piece.headings for piece in under} == {("A heading of a few words",)}


def test_headings_without_end_leave_room_for_the_text() -> None:
    headings = tuple(f"{level} " + "very long heading " * 50 for level in range(9))
    pieces = pieces_of(Block(text="Short words fill the page. " * 20, headings=headings))
    assert len(pieces) < 20
    assert all(len(piece.headings) == 6 and len(heading) <= 160 for piece in pieces for heading in piece.headings)


def test_the_title_is_not_repeated_as_a_heading() -> None:
    (piece,) = pieces_of(Block(text="Text.", headings=("The manual", "Safety")), title="The manual")
    assert piece.headings == ("Safety",)


def test_rows_stay_whole_and_together() -> None:
    rows = [f"Quarter: Q{number}; Revenue: {number * 1000}" for number in range(40)]
    pieces = pieces_of(*(Block(text=row, kind=Kind.ROW) for row in rows))
    assert 1 < len(pieces) < 20
    assert [line for piece in pieces for line in piece.text.split("\n")] == rows


def test_a_row_too_wide_is_cut_and_says_in_each_part_whose_it_is() -> None:
    cells = "; ".join(f"Column {number}: {number * 111}" for number in range(60))
    pieces = pieces_of(Block(text=f"Name: Ada; {cells}", label="Name: Ada", kind=Kind.ROW))
    assert len(pieces) > 3
    assert all(piece.text.startswith("Name: Ada; ") for piece in pieces)
    assert all(f"{number * 111}" in "".join(piece.text for piece in pieces) for number in range(60))


def test_records_are_never_joined() -> None:
    assert len(pieces_of(*(Block(text=f"Fact {number}.", kind=Kind.RECORD) for number in range(5)))) == 5


def test_pages_are_never_joined() -> None:
    pieces = pieces_of(Block(text="One.", page=1), Block(text="Still one.", page=1), Block(text="Two.", page=2))
    assert [(piece.text, piece.page) for piece in pieces] == [("One.\n\nStill one.", 1), ("Two.", 2)]


def test_a_document_may_make_so_many_pieces_and_no_more(read_document: Read) -> None:
    text = "A sentence of a few words. " * 1000
    with pytest.raises(DocumentTooLarge, match="more than 10 passages"):
        read_document(text, max_chunks=10)


def test_no_words_are_no_document(read_document: Read) -> None:
    with pytest.raises(EmptyDocument):
        read_document("\u200b\u200b")
