"""Passages into a budget of tokens: the best first, whole, and nothing twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.types import Passage

# Beside its text each passage has a label, a title and headings in the prompt.
_LABEL = "[10] ( > )\n"
_SENTENCE_END = re.compile(r"[.!?][\"”')\]]*(?=\s)|\n")
_WORD_END = re.compile(r"(?<=\S)(?=\s)")


def packed(passages: Sequence[Passage], *, budget: int, count: Callable[[str], int]) -> list[Passage]:
    """Those that fit into `budget` tokens, in the order given. `count`: tokens of a text, never less for a longer one.

    A passage that does not fit any more is left out whole, and shorter ones behind it may still fit. One that would not
    fit even alone is cut at the end of a sentence.
    """
    chosen: list[Passage] = []
    left = budget
    for passage in passages:
        if any(_repeats(passage, other) for other in chosen):
            continue
        cost = count(_written(passage))
        if cost > budget:
            shorter = _cut(passage, left, count)
            if shorter is None:
                continue
            passage, cost = shorter, count(_written(shorter))  # noqa: PLW2901 - it stands for the longer one
        if cost <= left:
            chosen.append(passage)
            left -= cost
    return chosen


def _written(passage: Passage) -> str:
    return f"{_LABEL}{passage.title} > {' > '.join(passage.headings)}\n{passage.text}"


def _repeats(passage: Passage, other: Passage) -> bool:
    """The same words under the same headings; under other ones they may be said of something else."""
    if passage.chunk_id == other.chunk_id:
        return True
    if (passage.title, passage.headings) != (other.title, other.headings):
        return False
    return " ".join(passage.text.split()) in " ".join(other.text.split())


def _cut(passage: Passage, budget: int, count: Callable[[str], int]) -> Passage | None:
    """Its beginning, as many whole sentences as fit, or words where not even one does; None where nothing does."""
    for end in (_SENTENCE_END, _WORD_END):
        ends = [match.end() for match in end.finditer(passage.text)]
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high + 1) // 2
            if count(_written(replace(passage, text=passage.text[: ends[middle - 1]].rstrip()))) <= budget:
                low = middle
            else:
                high = middle - 1
        text = passage.text[: ends[low - 1]].rstrip() if low else ""
        if text:
            return replace(passage, text=text)
    return None
