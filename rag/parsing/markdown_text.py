"""Markdown: its headings, paragraphs and lists as text, tables row by row, code as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.parsing.blocks import Block, Kind, Parsed, Trail, row

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.{0,20000}?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_LINE_BREAKS = {"softbreak", "hardbreak"}


def parse_markdown(text: str) -> Parsed:
    title = None
    if (front := _FRONT_MATTER.match(text)) is not None:
        named = _TITLE.search(front[1])
        title = named[1].strip("\"'") if named else None
        text = text[front.end() :]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return Parsed(title=title or _only_title(tokens), blocks=_Reader(tokens).blocks())


def _only_title(tokens: Sequence[Token]) -> str | None:
    """The one heading of the first level; several are chapters."""
    titles = [
        _inline_text(tokens[at + 1])
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h1"
    ]
    return titles[0] if len(titles) == 1 else None


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._trail = Trail()
        # Of each open list: the number of the next item; None: they have none.
        self._lists: list[int | None] = []
        self._item = ""

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < len(self._tokens):
            token = self._tokens[at]
            if token.type == "heading_open":
                self._trail.enter(int(token.tag[1:]), _inline_text(self._tokens[at + 1]))
                at += 2
            elif token.type == "table_open":
                end = self._end_of_table(at)
                yield from self._table(self._tokens[at:end])
                at = end
            else:
                yield from self._other(token)
            at += 1

    def _other(self, token: Token) -> Iterator[Block]:
        match token.type:
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._item = self._next_item()
            case "inline":
                text = _inline_text(token)
                if text:
                    yield Block(text=f"{self._item}{text}", headings=self._trail.headings)
                self._item = ""
            case "fence" | "code_block":
                yield Block(text=token.content, headings=self._trail.headings)
            case "html_block":
                yield from self._html(token.content)

    def _next_item(self) -> str:
        number = self._lists[-1] if self._lists else None
        indentation = "  " * (len(self._lists) - 1)
        if number is None:
            return f"{indentation}- "
        self._lists[-1] = number + 1
        return f"{indentation}{number}. "

    def _end_of_table(self, start: int) -> int:
        at = start
        while at < len(self._tokens) - 1 and self._tokens[at].type != "table_close":
            at += 1
        return at

    def _table(self, tokens: Sequence[Token]) -> Iterator[Block]:
        header: list[str] = []
        cells: list[str] = []
        for token in tokens:
            if token.type == "tr_open":
                cells = []
            elif token.type == "inline":
                cells.append(_inline_text(token).replace("\n", " "))
            elif token.type == "tr_close" and not header:
                header = cells
            elif token.type == "tr_close":
                text, label = row(header, cells)
                if text:
                    yield Block(text=text, label=label, kind=Kind.ROW, headings=self._trail.headings)

    def _html(self, content: str) -> Iterator[Block]:
        from rag.parsing.html_page import parse_fragment  # noqa: PLC0415 - most documents have none of it

        for block in parse_fragment(content):
            headings = (*self._trail.headings, *block.headings)
            yield Block(text=block.text, label=block.label, kind=block.kind, headings=headings)


def _inline_text(token: Token) -> str:
    """Without its marks; of a link its words, of an image what stands for it."""
    parts: list[str] = []
    for child in token.children or ():
        if child.type in _LINE_BREAKS:
            parts.append("\n" if child.type == "hardbreak" else " ")
        elif child.type in {"text", "code_inline", "image"}:
            parts.append(child.content)
    return "".join(parts).strip()
