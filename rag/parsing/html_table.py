"""Tables of HTML, row by row with the words of their header."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from rag.parsing.blocks import Block, Kind, row

_COLUMNS = 200
_ROWSPAN = 1000


def is_data_table(table: LexborNode) -> bool:
    """Not one that only puts the parts of a page side by side."""
    role = (table.attributes.get("role") or "").lower()
    return role not in {"presentation", "none"} and not table.css("table table, h1, h2, h3, ul, ol, pre")


def table_blocks(table: LexborNode, *, headings: tuple[str, ...]) -> Iterator[Block]:
    caption = table.css_first("caption")
    if caption is not None and (words := words_of(caption)):
        headings = (*headings, words)
    header: list[str] | None = None
    for cells, is_header in _rows(table):
        if header is None:
            header = cells
            if is_header or _names_columns(cells):
                continue
            header = []
        width = max(len(header), len(cells))
        names = [*header, *[""] * (width - len(header))]
        text, label = row(names, [*cells, *[""] * (width - len(cells))])
        if text:
            yield Block(text=text, label=label, kind=Kind.ROW, headings=headings)


def _rows(table: LexborNode) -> Iterator[tuple[list[str], bool]]:
    """Each row's cells, where one that spans several is in all of them, and whether all of them are headers."""
    # By column: what reaches down into the next rows, and for how many.
    hanging: dict[int, tuple[str, int]] = {}
    for line in table.css("tr"):
        cells: list[str] = []
        are_headers = True
        for cell in line.iter():
            if cell.tag not in {"td", "th"}:
                continue
            _take_hanging(cells, hanging)
            are_headers &= cell.tag == "th"
            words, rows = words_of(cell), _span(cell, "rowspan", _ROWSPAN)
            for _ in range(_span(cell, "colspan", _COLUMNS)):
                if rows > 1:
                    hanging[len(cells)] = (words, rows - 1)
                cells.append(words)
        _take_hanging(cells, hanging)
        if cells:
            yield cells[:_COLUMNS], are_headers


def _take_hanging(cells: list[str], hanging: dict[int, tuple[str, int]]) -> None:
    while (held := hanging.get(len(cells))) is not None:
        words, rows = held
        if rows == 1:
            del hanging[len(cells)]
        else:
            hanging[len(cells)] = (words, rows - 1)
        cells.append(words)


def _names_columns(cells: list[str]) -> bool:
    """Whether a first row without header cells looks like one: short words, and no figure but years."""
    return len(cells) > 1 and all(
        len(cell) <= 40 and (len(cell) == 4 or not cell.strip("$€£%()+-").replace(",", "").replace(".", "").isdigit())
        for cell in cells
    )


def _span(cell: LexborNode, name: str, most: int) -> int:
    value = cell.attributes.get(name) or ""
    return min(most, max(1, int(value))) if value.isdecimal() and len(value) < 10 else 1


def words_of(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())
