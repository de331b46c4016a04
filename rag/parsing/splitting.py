"""Blocks to pieces that fit an embedding model together with their title and headings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from semantic_text_splitter import TextSplitter

from rag.embedded_text import embedded_text
from rag.parsing.blocks import Block, Kind
from rag.parsing.cleaning import clean, one_line
from rag.parsing.tokens import estimated_tokens
from rag.types import Piece

_HEADING_CHARS = 160
_HEADINGS = 6
# A long title and trail leave at least this share of a piece to its text.
_LEAST_TEXT = 0.4
# A label is repeated as long as it takes no more than this share.
_MOST_LABEL = 0.25
# The splitter looks through all that is left for each piece it takes from a text without sentences; with more at once
# than about forty pieces' text the time grows as the square.
_CHARS_PER_TOKEN_AT_ONCE = 40


def split(blocks: Iterable[Block], *, title: str, tokens: int) -> Iterator[Piece]:
    """`tokens`: of a piece with title and headings, as an estimate. Nothing of the text is left out or repeated,
    except labels.
    """
    for (kind, headings, page), group in groupby(blocks, key=lambda block: (block.kind, block.headings, block.page)):
        trail = _trail(headings, title=title)
        budget = max(int(tokens * _LEAST_TEXT), tokens - estimated_tokens(embedded_text(title, trail, "")))
        for text in _texts(kind, group, budget=budget):
            yield Piece(text=text, headings=trail, page=page)


def _trail(headings: tuple[str, ...], *, title: str) -> tuple[str, ...]:
    """Without what the title says already."""
    trail = [line for heading in headings[:_HEADINGS] if (line := one_line(heading, max_chars=_HEADING_CHARS))]
    return tuple(trail[1:] if trail[:1] == [title] else trail)


def _texts(kind: Kind, blocks: Iterable[Block], *, budget: int) -> Iterator[str]:
    if kind is Kind.PROSE:
        yield from _cut(clean("\n\n".join(block.text for block in blocks)), budget=budget)
    elif kind is Kind.ROW:
        yield from _packed((row for block in blocks for row in _parts(block, budget=budget)), budget=budget)
    else:
        for block in blocks:
            yield from _parts(block, budget=budget)


def _packed(rows: Iterable[str], *, budget: int) -> Iterator[str]:
    held: list[str] = []
    taken = 0
    for row in rows:
        size = estimated_tokens(row)
        if held and taken + size > budget:
            yield "\n".join(held)
            held, taken = [], 0
        held.append(row)
        taken += size
    if held:
        yield "\n".join(held)


def _parts(block: Block, *, budget: int) -> Iterator[str]:
    """The text whole, or in parts that each begin with its label."""
    text, label = clean(block.text), clean(block.label)
    size = estimated_tokens(label)
    if not label or size > budget * _MOST_LABEL or estimated_tokens(text) <= budget:
        yield from _cut(text, budget=budget)
        return
    for part in _cut(text.removeprefix(label).lstrip("; "), budget=budget - size):
        yield f"{label}; {part}"


def _cut(text: str, *, budget: int) -> Iterator[str]:
    splitter = _splitter(budget)
    window, start = budget * _CHARS_PER_TOKEN_AT_ONCE, 0
    while start < len(text):
        is_last = start + window >= len(text)
        found = splitter.chunk_indices(text[start : start + window])
        # The last one was cut by the window: the next begins with it.
        kept = found if is_last or len(found) < 2 else found[:-1]
        yield from (piece for _, piece in kept if piece)
        start += window if len(kept) == len(found) else found[-1][0]


@lru_cache(maxsize=64)
def _splitter(budget: int) -> TextSplitter:
    return TextSplitter.from_callback(estimated_tokens, budget)
