"""Several lists of passages in one order, by reciprocal rank: a passage's score is the sum of 1 / (k + its rank)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.types import Passage

# Of the paper by Cormack, Clarke and Büttcher (SIGIR 2009): large enough that no single list decides alone.
K = 60


def fused(*lists: Sequence[Passage], k: int = K) -> list[Passage]:
    """Each passage once, best first; of equals the one that the earlier list has first. Raises ValueError for k < 0."""
    if k < 0:
        raise ValueError(f"k is {k}: must be 0 or more")
    scores: dict[int, float] = {}
    first: dict[int, Passage] = {}
    for passages in lists:
        seen: set[int] = set()
        for rank, passage in enumerate(passages, 1):
            if passage.chunk_id not in seen:
                seen.add(passage.chunk_id)
                first.setdefault(passage.chunk_id, passage)
                scores[passage.chunk_id] = scores.get(passage.chunk_id, 0.0) + 1 / (k + rank)
    # Sorting is stable, and a dict keeps its order.
    ordered = sorted(scores, key=scores.__getitem__, reverse=True)
    return [replace(first[chunk_id], score=scores[chunk_id]) for chunk_id in ordered]
