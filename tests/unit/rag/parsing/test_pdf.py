"""PDFs as programs write them, and as disks and people leave them."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from fpdf import FPDF

from rag.errors import DamagedDocument, DocumentTooLarge, EmptyDocument, EncryptedDocument
from rag.types import ReadDocument

Read = Callable[..., ReadDocument]


def pdf_of(*pages: str, title: str = "", bookmarks: bool = False) -> FPDF:
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    if title:
        pdf.set_title(title)
    for number, text in enumerate(pages, start=1):
        pdf.add_page()
        if bookmarks:
            pdf.start_section(f"Chapter {number}")
            pdf.cell(text=f"Chapter {number}", new_x="LMARGIN", new_y="NEXT")
        pdf.multi_cell(0, text=text)
    return pdf


def test_each_piece_knows_its_page(read_document: Read) -> None:
    document = read_document(bytes(pdf_of("The first page.", "The second page.", title="Manual").output()), "m.pdf")
    assert (document.title, document.media_type) == ("Manual", "application/pdf")
    assert [(piece.page, piece.text) for piece in document.pieces] == [(1, "The first page."), (2, "The second page.")]


def test_bookmarks_are_headings(read_document: Read) -> None:
    document = read_document(bytes(pdf_of("Text of one.", "Text of two.", bookmarks=True).output()), "book.pdf")
    assert [(piece.headings, piece.page, piece.text) for piece in document.pieces] == [
        (("Chapter 1",), 1, "Text of one."),
        (("Chapter 2",), 2, "Text of two."),
    ]


def test_lines_broken_for_the_page_are_put_together(read_document: Read) -> None:
    text = (
        "The insurance covers the costs of a replacement device for as long as the repair takes, at most six weeks, "
        "unless the owner has opened it, which a broken seal shows, or has used it under water or at great heat."
    )
    (piece,) = read_document(bytes(pdf_of(text).output()), "a.pdf").pieces
    assert piece.text == text


def test_the_name_of_a_file_is_no_title(read_document: Read) -> None:
    document = read_document(bytes(pdf_of("Text.", title="Microsoft Word - draft3.docx").output()), "Travel rules.pdf")
    assert document.title == "Travel rules"


def test_one_with_a_password_is_refused_in_words(read_document: Read) -> None:
    pdf = pdf_of("Secret.")
    pdf.set_encryption("owner", "user")
    with pytest.raises(EncryptedDocument, match="password"):
        read_document(bytes(pdf.output()), "a.pdf")


@pytest.mark.parametrize("keep", [0.02, 0.3])
def test_the_beginning_of_one_is_damaged(read_document: Read, keep: float) -> None:
    data = bytes(pdf_of(*["Some text. " * 50] * 3).output())
    with pytest.raises(DamagedDocument):
        read_document(data[: int(len(data) * keep)], "a.pdf")


def test_noise_after_the_mark_is_damaged(read_document: Read) -> None:
    with pytest.raises(DamagedDocument):
        read_document(b"%PDF-1.7\n" + bytes(range(256)) * 50, "a.pdf")


def test_pictures_of_text_are_said_to_be_that(read_document: Read) -> None:
    pdf = pdf_of("", "")
    pdf.rect(10, 10, 50, 50)
    with pytest.raises(EmptyDocument, match="scan"):
        read_document(bytes(pdf.output()), "scan.pdf")


def test_too_many_pages_are_refused_in_words(read_document: Read) -> None:
    with pytest.raises(DocumentTooLarge, match="12 pages, more than 10"):
        read_document(bytes(pdf_of(*["x"] * 12).output()), "a.pdf", max_pages=10)


def bomb(*, megabytes: int) -> bytes:
    """A page whose drawing is spaces, thousands of times larger than what is sent of it."""
    content = zlib.compress(b" " * (megabytes * 1_000_000), 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content),
    ]
    body = b"%PDF-1.7\n"
    for number, content in enumerate(objects, start=1):
        body += b"%d 0 obj%s endobj\n" % (number, content)
    return body + b"trailer<</Root 1 0 R>>"


def test_what_unpacks_without_end_has_no_text(read_document: Read) -> None:
    with pytest.raises((EmptyDocument, DamagedDocument, DocumentTooLarge)):
        read_document(bomb(megabytes=30), "a.pdf")
