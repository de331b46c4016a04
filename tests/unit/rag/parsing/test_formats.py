"""Which format a document is taken for, and what is told of those that are none."""

from __future__ import annotations

import pytest

from rag.errors import DamagedDocument, EmptyDocument, UnsupportedDocument
from rag.parsing.formats import Format, format_of

TEXT = b"Some words."
PDF = b"%PDF-1.7\n..."


@pytest.mark.parametrize(
    ("filename", "media_type", "data", "expected"),
    [
        ("a.txt", "text/plain", TEXT, Format.TEXT),
        ("a.md", None, TEXT, Format.MARKDOWN),
        ("a.md", "application/octet-stream", TEXT, Format.MARKDOWN),
        ("a.md", "text/plain; charset=utf-8", TEXT, Format.MARKDOWN),
        ("A.MARKDOWN", "", TEXT, Format.MARKDOWN),
        ("a.html", "text/html", TEXT, Format.HTML),
        ("page", None, b"\n <!DOCTYPE html><p>x", Format.HTML),
        ("page", None, TEXT, Format.TEXT),
        ("table.csv", "application/vnd.ms-excel", TEXT, Format.CSV),
        ("table.tsv", None, TEXT, Format.TSV),
        ("a.txt", "text/csv", TEXT, Format.CSV),
        ("a.pdf", "application/pdf", PDF, Format.PDF),
        ("a.txt", "text/plain", PDF, Format.PDF),
        ("upload", None, b"\r\n" + PDF, Format.PDF),
        ("about.txt", None, b"A PDF begins with %PDF-1.7.", Format.TEXT),
        ("source.py", "text/x-python", TEXT, Format.TEXT),
        (r"C:\My files\a.htm", None, TEXT, Format.HTML),
    ],
)
def test_bytes_sender_and_name_say_it(filename: str, media_type: str | None, data: bytes, expected: Format) -> None:
    assert format_of(data, filename=filename, media_type=media_type) is expected


@pytest.mark.parametrize(
    ("filename", "media_type", "data", "says"),
    [
        ("a.docx", None, b"PK\x03\x04rest", "an Office document"),
        ("a.txt", "text/plain", b"PK\x03\x04rest", "a ZIP archive"),
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\nrest", "a picture"),
        ("a.xls", "application/vnd.ms-excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
        ("a.gz", None, b"\x1f\x8b\x08", "a gzip archive"),
        ("a.bin", "video/mp4", b"\x00\x00\x00 ftyp", "video/mp4 is not read here"),
    ],
)
def test_what_is_not_read_is_named(filename: str, media_type: str | None, data: bytes, says: str) -> None:
    with pytest.raises(UnsupportedDocument, match=says) as caught:
        format_of(data, filename=filename, media_type=media_type)
    assert "PDF" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\0\0\0"])
def test_nothing_is_no_document(data: bytes) -> None:
    with pytest.raises(EmptyDocument):
        format_of(data, filename="a.txt", media_type=None)


def test_a_pdf_without_its_beginning_is_damaged() -> None:
    with pytest.raises(DamagedDocument, match="no PDF"):
        format_of(TEXT, filename="report.pdf", media_type=None)
