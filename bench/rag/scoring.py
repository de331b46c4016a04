"""Which passages and answers are right, and what many of them come to. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# A figure goes on, to either side, where a digit, a letter, a sign or a unit stands; a sentence's full stop does not
# make it longer, a decimal point does.
_BEFORE = r"(?<![\w$€£¥+\-\u2212])(?<!\d[.,])"
_AFTER = r"(?![\w%])(?![.,]\d)"


def has_figure(text: str, figure: str) -> bool:
    """Whether the figure stands in the text by itself, and not as a part of a longer one."""
    return _pattern(figure).search(text) is not None


@lru_cache(maxsize=1_000)
def _pattern(figure: str) -> re.Pattern[str]:
    words = map(re.escape, figure.split())
    return re.compile(_BEFORE + r"\s+".join(words) + _AFTER)


def first_right(right: Sequence[bool]) -> int | None:
    """The rank of the first that is right, from 1; None where none is."""
    return next((rank for rank, is_right in enumerate(right, start=1) if is_right), None)


def recall(ranks: Sequence[int | None], depth: int) -> float:
    """The share of questions that have a right passage among the first `depth`. Raises ValueError without any."""
    if not ranks:
        raise ValueError("recall needs at least one question")
    return sum(rank is not None and rank <= depth for rank in ranks) / len(ranks)


def mean_reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """What has no right passage counts 0. Raises ValueError without any."""
    if not ranks:
        raise ValueError("a mean needs at least one question")
    return sum(1 / rank for rank in ranks if rank is not None) / len(ranks)


def overlap(found: Sequence[int], exact: Sequence[tuple[int, float]], depth: int) -> float:
    """The share of the `depth` nearest that were found. `exact`: ids and distances, the nearest first.

    What is as far away as the last of the nearest counts as well: which of them is named is chance. Raises ValueError
    where there is nothing to find.
    """
    wanted = min(depth, len(exact))
    if not wanted:
        raise ValueError("there is nothing that could be found")
    furthest = exact[wanted - 1][1]
    near = {chunk for chunk, distance in exact if distance <= furthest}
    return min(wanted, len(near.intersection(found[:wanted]))) / wanted
