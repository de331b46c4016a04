from __future__ import annotations

from collections.abc import Callable

import pytest

from rag.errors import DocumentTooLarge
from rag.types import ReadDocument

Read = Callable[..., ReadDocument]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_is_a_piece_with_its_columns(read_document: Read, delimiter: str) -> None:
    rows = [["Product", "Price, EUR", "Note"], ["Pump A1", "12,50", ""], ["Pump A2", "15", "new; blue"]]
    table = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    document = read_document(table, "prices.csv")
    assert (document.title, document.media_type) == ("prices", "text/csv")
    assert [piece.text for piece in document.pieces] == [
        "Product: Pump A1; Price, EUR: 12,50",
        "Product: Pump A2; Price, EUR: 15; Note: new; blue",
    ]


@pytest.mark.parametrize("name", ["text", "Content", "PASSAGE"])
def test_a_column_of_text_is_the_text_and_the_others_are_its_heading(read_document: Read, name: str) -> None:
    document = read_document(f'id,company,{name}\n1,Acme,"Revenue rose.\nCosts fell."\n', "seed.csv")
    (piece,) = document.pieces
    assert piece.text == "Revenue rose.\nCosts fell."
    assert piece.headings == ("id: 1; company: Acme",)


def test_rows_shorter_and_longer_than_the_header_lose_nothing(read_document: Read) -> None:
    document = read_document("a,b\n1\n1,2,3\n\n,,\n", "rows.csv")
    assert [piece.text for piece in document.pieces] == ["a: 1", "a: 1; b: 2; Column 3: 3"]


def test_figures_alone_are_no_header(read_document: Read) -> None:
    document = read_document("1,2.5\n3,4\n", "rows.csv")
    assert [piece.text for piece in document.pieces] == ["Column 1: 1; Column 2: 2.5", "Column 1: 3; Column 2: 4"]


def test_one_column_is_a_table_too(read_document: Read) -> None:
    document = read_document("Question\nWhy?\nHow, then?\n", "questions.csv")
    assert document.pieces[0].text == "Question: Why?"


def test_a_row_too_long_repeats_what_it_is_about(read_document: Read) -> None:
    header = ",".join(["Name", *(f"Field {number}" for number in range(80))])
    document = read_document(
        f"{header}\n" + ",".join(["Ada", *(f"value {number}" for number in range(80))]), "wide.csv"
    )
    assert len(document.pieces) > 2
    assert all(piece.text.startswith("Name: Ada; ") for piece in document.pieces)


def test_a_cell_without_end_is_refused_in_words(read_document: Read) -> None:
    with pytest.raises(DocumentTooLarge, match="quotation mark"):
        read_document('a,b\n1,"' + "x" * 2_000_000, "broken.csv")


def test_columns_without_end_are_refused_in_words(read_document: Read) -> None:
    with pytest.raises(DocumentTooLarge, match="columns"):
        read_document("a" + "," * 10_000, "wide.csv")


def test_tabs_by_name(read_document: Read) -> None:
    assert [piece.text for piece in read_document("a\tb, c\n1\t2, 3", "x.tsv").pieces] == ["a: 1; b, c: 2, 3"]
