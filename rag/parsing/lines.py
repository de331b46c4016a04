"""Lines that were broken for the width of a page, put together again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Of the longest line: where a line of running text was broken.
_FULL = 0.75
_SHORTEST_FULL = 45
_SENTENCE_END = re.compile("[.!?:;…][\"'\u201d\u2019)\\]]*$")
# A new item, or a row of a table: never the rest of a sentence.
_NEW_ITEM = re.compile("(?:[-*•◦\u2013\u2014▪]|\\(?\\d{1,3}[.)])\\s")
_HYPHENATED = re.compile(r"[a-z]{2}-$")


def joined_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines, with the parts of a broken sentence in one of them; empty ones stay."""
    stripped = [line.rstrip() for line in lines]
    full = max(_SHORTEST_FULL, int(_FULL * max(map(len, stripped), default=0)))
    held: list[str] = []
    before = ""
    for line in stripped:
        if held and _goes_on(before, line, full=full):
            held.append(line.lstrip())
        else:
            if held:
                yield _together(held)
            held = [line]
        before = line
    if held:
        yield _together(held)


def _goes_on(before: str, line: str, *, full: int) -> bool:
    rest = line.lstrip()
    if not rest or len(before) < full or _NEW_ITEM.match(rest):
        return False
    if _HYPHENATED.search(before):
        return rest[0].islower()
    return not _SENTENCE_END.search(before) or rest[0].islower()


def _together(lines: list[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        # "reve-" and "nue" are one word; "long-" and "term" were two, and are found by either half all the same.
        text = text[:-1] + line if _HYPHENATED.search(text) else f"{text} {line}"
    return text
