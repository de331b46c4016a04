"""CSV: each row is a piece, with the names of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from rag.errors import DamagedDocument, DocumentTooLarge
from rag.parsing.blocks import Block, Kind, Parsed, row

_DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 16_384
_SAMPLE_ROWS = 50
_CELL_CHARS = 1_000_000
_COLUMNS = 500
# A column of this name is what a row says, and the others say what it is about.
_TEXT_COLUMNS = ("text", "content", "passage")
_NUMBER = re.compile(r"[-+(]?[$€£]?\d[\d.,\s]*%?\)?")


def parse_csv(text: str, *, delimiter: str | None = None) -> Parsed:
    return Parsed(title=None, blocks=_blocks(text, delimiter or _delimiter(text[:_SAMPLE_CHARS])))


def _delimiter(sample: str) -> str:
    """The one that gives most rows of the sample the same number of cells, of more than one."""
    scores = [(_agreement(sample, delimiter), -at) for at, delimiter in enumerate(_DELIMITERS)]
    return _DELIMITERS[-max(scores)[1]]


def _agreement(sample: str, delimiter: str) -> tuple[int, int]:
    try:
        widths = [len(cells) for cells in islice(_rows(sample, delimiter), _SAMPLE_ROWS) if cells]
    except DocumentTooLarge:
        return 0, 0
    usual = max(widths, key=widths.count, default=0)
    return (widths.count(usual), usual) if usual > 1 else (0, 0)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_CELL_CHARS)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in rows:
            if len(cells) > _COLUMNS:
                raise DocumentTooLarge(f"Line {rows.line_num} has more than {_COLUMNS} columns.")
            yield [cell.strip() for cell in cells]
    except csv.Error as error:
        if "field larger" in str(error):
            raise DocumentTooLarge(
                f"A cell that ends about line {rows.line_num + 1} has more than {_CELL_CHARS:,} characters: "
                "is a quotation mark missing?"
            ) from error
        raise DamagedDocument(f"Line {rows.line_num} cannot be read as CSV: {error}.") from error


def _blocks(text: str, delimiter: str) -> Iterator[Block]:
    rows = (cells for cells in _rows(text, delimiter) if any(cells))
    first = next(rows, [])
    header = [] if _is_data(first) else first
    if not header:
        yield from _record([], first)
    for cells in rows:
        yield from _record(header, cells)


def _is_data(cells: Sequence[str]) -> bool:
    return all(_NUMBER.fullmatch(cell) for cell in cells if cell)


def _record(header: Sequence[str], cells: Sequence[str]) -> Iterator[Block]:
    width = max(len(header), len(cells))
    names = [header[at] if at < len(header) and header[at] else f"Column {at + 1}" for at in range(width)]
    values = [*cells, *[""] * (width - len(cells))]
    of_text = next((at for at, name in enumerate(names) if name.lower() in _TEXT_COLUMNS and values[at]), None)
    if of_text is None:
        text, label = row(names, values)
        if text:
            yield Block(text=text, label=label, kind=Kind.RECORD)
        return
    rest = [at for at in range(width) if at != of_text]
    heading, _ = row([names[at] for at in rest], [values[at] for at in rest])
    yield Block(text=values[of_text], headings=(heading,) if heading else (), kind=Kind.RECORD)
