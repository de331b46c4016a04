"""Text as it is."""

from __future__ import annotations

from rag.parsing.blocks import Block, Parsed
from rag.parsing.lines import joined_lines


def parse_text(text: str) -> Parsed:
    return Parsed(title=None, blocks=(Block(text="\n".join(joined_lines(text.splitlines()))),))
