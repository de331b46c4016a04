"""Which format a document has: what it begins with, what its sender calls it, and its name, in this order."""

from __future__ import annotations

from enum import Enum
from pathlib import PurePosixPath

from rag.errors import DamagedDocument, EmptyDocument, UnsupportedDocument


class Format(Enum):
    """The value is the media type that is stored."""

    TEXT = "text/plain"
    MARKDOWN = "text/markdown"
    HTML = "text/html"
    CSV = "text/csv"
    TSV = "text/tab-separated-values"
    PDF = "application/pdf"


READABLE = "text, Markdown, HTML, CSV and PDF"
_BY_TYPE = {
    **{known.value: known for known in Format},
    "text/x-markdown": Format.MARKDOWN,
    "application/xhtml+xml": Format.HTML,
    "application/csv": Format.CSV,
    "text/x-csv": Format.CSV,
    "text/comma-separated-values": Format.CSV,
    "application/x-pdf": Format.PDF,
}
_BY_ENDING = {
    ".txt": Format.TEXT,
    ".text": Format.TEXT,
    ".log": Format.TEXT,
    ".rst": Format.TEXT,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".mdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".pdf": Format.PDF,
}
FILE_ENDINGS = frozenset(_BY_ENDING)
"""By which whoever looks through folders finds documents."""
# What senders say who do not know; Windows calls CSV a spreadsheet.
_VAGUE = {"", "application/octet-stream", "binary/octet-stream", "text/plain", "application/vnd.ms-excel"}
# Bytes that no text begins with.
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF87a", "a picture"),
    (b"GIF89a", "a picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"SQLite format 3\x00", "a database"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript document"),
)
_PDF_MARK = b"%PDF-"
# As far as readers of PDF look for it.
_PDF_MARK_WITHIN = 1024
_HTML_BEGINS = (b"<!doctype html", b"<html")


def format_of(data: bytes, *, filename: str, media_type: str | None) -> Format:
    """Raises EmptyDocument, UnsupportedDocument and DamagedDocument."""
    if not data.strip(b"\0 \t\r\n\f\v"):
        raise EmptyDocument("The document is empty.")
    declared = (media_type or "").partition(";")[0].strip().lower()
    ending = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    by_type = None if declared in _VAGUE else _BY_TYPE.get(declared)
    named = by_type or _BY_ENDING.get(ending)
    if _PDF_MARK in data[:_PDF_MARK_WITHIN] and (named in {None, Format.PDF} or data.startswith(_PDF_MARK)):
        return Format.PDF
    for mark, what in _FOREIGN:
        if data.startswith(mark):
            raise UnsupportedDocument(f"The file is {what}; {READABLE} are read here.")
    if named is Format.PDF:
        raise DamagedDocument("The file is no PDF, or its beginning is missing.")
    if named is None and not _may_be_text(declared):
        raise UnsupportedDocument(f"The media type {declared[:100]} is not read here; {READABLE} are.")
    return named or _by_content(data)


def _may_be_text(declared: str) -> bool:
    return declared in _VAGUE or declared.startswith("text/")


def _by_content(data: bytes) -> Format:
    return Format.HTML if data[:512].lstrip().lower().startswith(_HTML_BEGINS) else Format.TEXT
