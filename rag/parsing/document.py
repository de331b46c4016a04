"""A document's bytes to its pieces. What a format needs is loaded only for it: a process reads one document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from rag.errors import DocumentTooLarge, EmptyDocument
from rag.parsing.blocks import Parsed
from rag.parsing.cleaning import one_line
from rag.parsing.decoding import decode
from rag.parsing.formats import Format, format_of
from rag.parsing.splitting import split
from rag.parsing.wire import Beginning, Order
from rag.types import Piece

_TITLE_CHARS = 200


def read(data: bytes, order: Order) -> Iterator[Beginning | Piece]:
    """What the document is, then its pieces in their order. Raises DocumentError, also in the middle."""
    format_ = format_of(data, filename=order.filename, media_type=order.media_type)
    parsed = _parsed(data, format_, max_pages=order.max_pages)
    title = one_line(parsed.title or "", max_chars=_TITLE_CHARS) or _name(order.filename)
    yield Beginning(title=title, media_type=format_.value)
    count = 0
    for count, piece in enumerate(split(parsed.blocks, title=title, tokens=order.chunk_tokens), start=1):
        if count > order.max_chunks:
            raise DocumentTooLarge(f"The document makes more than {order.max_chunks:,} passages: split it.")
        yield piece
    if not count:
        raise EmptyDocument("The document has no text.")


def _parsed(data: bytes, format_: Format, *, max_pages: int) -> Parsed:
    match format_:
        case Format.PDF:
            from rag.parsing.pdf_pages import parse_pdf  # noqa: PLC0415 - see the top

            return parse_pdf(data, max_pages=max_pages)
        case Format.HTML:
            from rag.parsing.html_page import declared_charset, parse_html  # noqa: PLC0415

            return parse_html(decode(data, declared=declared_charset(data)))
        case Format.MARKDOWN:
            from rag.parsing.markdown_text import parse_markdown  # noqa: PLC0415

            return parse_markdown(decode(data))
        case Format.CSV | Format.TSV:
            from rag.parsing.csv_rows import parse_csv  # noqa: PLC0415

            return parse_csv(decode(data), delimiter="\t" if format_ is Format.TSV else None)
        case Format.TEXT:
            from rag.parsing.plain_text import parse_text  # noqa: PLC0415

            return parse_text(decode(data))


def _name(filename: str) -> str:
    return one_line(PurePosixPath(filename.replace("\\", "/")).stem, max_chars=_TITLE_CHARS) or "document"
