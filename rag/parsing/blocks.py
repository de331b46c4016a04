"""What every format is turned into before it is split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    PROSE = "prose"
    """Runs on: split between sentences, joined with its neighbours."""
    ROW = "row"
    """Of a table: joined with its neighbours as long as whole rows fit."""
    RECORD = "record"
    """Stands alone, whatever its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    text: str
    kind: Kind = Kind.PROSE
    headings: tuple[str, ...] = ()
    page: int | None = None
    label: str = ""
    """What the text begins with and each further part of it repeats, if it must be split: a row's first cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`blocks` may be read once, and may raise DocumentError on the way."""

    title: str | None
    """None: the document does not say."""
    blocks: Iterable[Block]


class Trail:
    """The headings that stand over the text as it goes on."""

    def __init__(self) -> None:
        self._levels: list[tuple[int, str]] = []
        self.headings: tuple[str, ...] = ()

    def enter(self, level: int, heading: str) -> None:
        """`level`: 1 is the outermost; a heading ends those of its level and below."""
        self._levels = [known for known in self._levels if known[0] < level]
        if heading:
            self._levels.append((level, heading))
        self.headings = tuple(text for _, text in self._levels)


def row(header: Iterable[str], cells: Iterable[str]) -> tuple[str, str]:
    """`Column: value; Column: value` and the part of it that says which row it is; empty cells are left out."""
    parts = []
    for column, cell in zip(header, cells, strict=True):
        if cell:
            parts.append(f"{column}: {cell}" if column and column != cell else cell)
    return "; ".join(parts), parts[0] if parts else ""
