"""PDF: the text of each page, under the bookmarks that the document has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pypdfium2
from pypdfium2 import raw

from rag.errors import DamagedDocument, DocumentTooLarge, EmptyDocument, EncryptedDocument
from rag.parsing.blocks import Block, Parsed, Trail
from rag.parsing.lines import joined_lines

_PAGE_CHARS = 1_000_000
_BOOKMARKS = 5000
_BOOKMARK_DEPTH = 6
# PDFium's sign for a hyphen that only broke the line.
_BROKEN_WORD = re.compile("[\x02\xad\ufffe]\\s*\r?\n")
# Names that programs give, not people.
_NO_TITLE = re.compile(
    r"untitled|document\d*|microsoft word - .*|.*\.(?:docx?|pdf|tex|indd|pptx?|rtf|odt)", re.IGNORECASE
)


def parse_pdf(data: bytes, *, max_pages: int) -> Parsed:
    """Raises EncryptedDocument, DamagedDocument, and DocumentTooLarge for too many pages."""
    try:
        document = pypdfium2.PdfDocument(data)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
            raise EncryptedDocument("The PDF is encrypted: remove its password and try again.") from error
        raise DamagedDocument("The PDF is damaged and cannot be read.") from error
    if pages > max_pages:
        raise DocumentTooLarge(f"The PDF has {pages:,} pages, more than {max_pages:,}: split it.")
    return Parsed(title=_title(document), blocks=_Pages(document, pages).blocks())


def _title(document: pypdfium2.PdfDocument) -> str | None:
    title = str(document.get_metadata_value("Title")).strip()
    return title if title and not _NO_TITLE.fullmatch(title) else None


class _Pages:
    def __init__(self, document: pypdfium2.PdfDocument, pages: int) -> None:
        self._document = document
        self._pages = pages
        self._bookmarks = _bookmarks(document)
        self._trail = Trail()

    def blocks(self) -> Iterator[Block]:
        unread = empty = 0
        for at in range(self._pages):
            try:
                text = _text(self._document, at)
            except pypdfium2.PdfiumError:
                unread += 1
                continue
            if not text.strip():
                empty += 1
            yield from self._sections(text, page=at)
        if unread == self._pages:
            raise DamagedDocument("The PDF is damaged: none of its pages can be read.")
        if unread + empty == self._pages:
            raise EmptyDocument(
                "The PDF has no text, only pictures of it (a scan): have the text recognised (OCR) and try again."
            )

    def _sections(self, text: str, *, page: int) -> Iterator[Block]:
        """The page's text, cut where one of its lines is a bookmark; what has none begins with the page."""
        wanted = self._bookmarks.pop(page, [])
        held: list[str] = []
        for line in joined_lines(text.splitlines()):
            found = next((at for at, (_, name) in enumerate(wanted) if _same(name, line)), None)
            if found is None:
                held.append(line)
                continue
            yield self._block(held, page)
            held = []
            for level, name in wanted[: found + 1]:
                self._trail.enter(level, name)
            wanted = wanted[found + 1 :]
        yield self._block(held, page)
        for level, name in wanted:
            self._trail.enter(level, name)

    def _block(self, lines: list[str], page: int) -> Block:
        return Block(text="\n".join(lines), headings=self._trail.headings, page=page + 1)


def _text(document: pypdfium2.PdfDocument, at: int) -> str:
    page = document[at]
    try:
        text_page = page.get_textpage()
        try:
            count = text_page.count_chars()
            if count > _PAGE_CHARS:
                raise DocumentTooLarge(f"Page {at + 1} of the PDF has more than {_PAGE_CHARS:,} characters.")
            return _BROKEN_WORD.sub("", text_page.get_text_bounded())
        finally:
            text_page.close()
    finally:
        page.close()


def _bookmarks(document: pypdfium2.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """Level and name of each, by page from 0."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for count, bookmark in enumerate(document.get_toc(max_depth=_BOOKMARK_DEPTH)):
            target = bookmark.get_dest()
            page = target.get_index() if target is not None else None
            if page is not None:
                found.setdefault(page, []).append((bookmark.level + 1, bookmark.get_title()))
            if count == _BOOKMARKS:
                break
    except pypdfium2.PdfiumError:
        return {}  # the text is worth more than its bookmarks
    return found


def _same(name: str, line: str) -> bool:
    return "".join(name.split()).casefold() == "".join(line.split()).casefold()
