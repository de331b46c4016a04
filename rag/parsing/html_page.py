"""HTML: what a reader of the page reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rag.parsing.blocks import Block, Parsed, Trail
from rag.parsing.html_table import is_data_table, table_blocks, words_of
from rag.parsing.html_tree import names, page_of, remove_unseen, walk

_INLINE = names(
    "-text a abbr acronym b bdi bdo big br cite code data del dfn em font i img ins kbd label mark nobr q rb rp rt "
    "ruby s samp small span strike strong sub sup time tt u var wbr"
)
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_.:-]{2,40})", re.IGNORECASE)
_CHARSET_WITHIN = 4096
# Stands for a line break that is meant, among those that are only the source's.
_BREAK = "\0"


def declared_charset(data: bytes) -> str | None:
    """What the page says of its own encoding."""
    found = _CHARSET.search(data[:_CHARSET_WITHIN])
    return found[1].decode() if found else None


def parse_html(text: str) -> Parsed:
    """Raises DocumentTooLarge for what is nested too deeply."""
    page = page_of(text)
    name = page.css_first("title")
    named = words_of(name) if name is not None else ""
    if page.body is None:
        return Parsed(title=named or None, blocks=())
    remove_unseen(page.body)
    heads = page.body.css("h1")
    title = words_of(heads[0]) if len(heads) == 1 else named
    return Parsed(title=title or named or None, blocks=_Reader().blocks(_main_part(page, page.body)))


def parse_fragment(text: str) -> Iterator[Block]:
    """Blocks of HTML within another document. Raises DocumentTooLarge."""
    page = page_of(text)
    if page.body is not None:
        remove_unseen(page.body)
        yield from _Reader().blocks(page.body)


def _main_part(page: LexborHTMLParser, body: LexborNode) -> LexborNode:
    """What the page calls its main part, if it does once and much of the text is there."""
    for name in ("main", "article"):
        found = page.css(name)
        if len(found) == 1 and len(found[0].text()) * 3 > len(body.text()):
            return found[0]
    return body


class _Reader:
    def __init__(self) -> None:
        self._trail = Trail()
        self._text: list[str] = []
        self._preformatted = 0

    def blocks(self, root: LexborNode) -> Iterator[Block]:
        for node, begins in walk(root, is_whole=_is_whole):
            tag = node.tag or ""
            if tag in _INLINE:
                if begins:
                    self._inline(node, tag)
            elif not tag.startswith(("-", "!")):
                yield from self._paragraph()
                yield from self._element(node, tag) if begins else ()
                if tag == "pre":
                    self._preformatted += 1 if begins else -1
        yield from self._paragraph()

    def _inline(self, node: LexborNode, tag: str) -> None:
        if tag == "-text":
            self._text.append((node.text_content or "").replace(_BREAK, ""))
        elif tag == "br":
            self._text.append(_BREAK)
        elif tag == "img":
            self._text.append(f" {node.attributes.get('alt') or ''} ")

    def _element(self, node: LexborNode, tag: str) -> Iterator[Block]:
        if tag in _HEADINGS:
            self._trail.enter(int(tag[1]), words_of(node))
        elif tag == "li":
            self._text.append("- ")
        elif tag == "table" and is_data_table(node):
            yield from table_blocks(node, headings=self._trail.headings)

    def _paragraph(self) -> Iterator[Block]:
        lines = "".join(self._text).split(_BREAK)
        self._text.clear()
        text = "\n".join(line if self._preformatted else " ".join(line.split()) for line in lines)
        if text.strip(" -\n"):
            yield Block(text=text, headings=self._trail.headings)


def _is_whole(node: LexborNode) -> bool:
    return node.tag in _HEADINGS or (node.tag == "table" and is_data_table(node))
