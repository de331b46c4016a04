"""Intents from pairs that people have written: what has the same answer is one intent, what has not stands beside it.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.semantic_cache.intents import Group, Intent
from bench.semantic_cache.pairs import Pair


def groups_of(pairs: Iterable[Pair], *, taken: Iterable[str] = ()) -> list[Group]:
    """Groups of intents, in the order of the pairs. Pairs with a wording that is `taken` are left out.

    Their answers are taken to hold for a day. Raises ValueError where pairs contradict each other.
    """
    known = set(taken)
    kept = [pair for pair in pairs if not known & {pair.a, pair.b}]
    same, near = _Sets(), _Sets()
    for pair in kept:
        near.join(pair.a, pair.b)
        if pair.same:
            same.join(pair.a, pair.b)
    for pair in kept:
        if not pair.same and same.of(pair.a) == same.of(pair.b):
            raise ValueError(f"{pair.a!r} and {pair.b!r} are said to have the same answer, and to have two")
    made: dict[str, dict[str, list[str]]] = {}
    for text in near.members:
        made.setdefault(near.of(text), {}).setdefault(same.of(text), []).append(text)
    return [tuple(_intent(wordings) for wordings in group.values()) for group in made.values()]


def _intent(wordings: Sequence[str]) -> Intent:
    return Intent(f"written: {wordings[0]}", tuple(wordings))


class _Sets:
    """Texts that belong together, each set named by one of them; a text that was never joined is alone."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    @property
    def members(self) -> list[str]:
        """All that were joined, in their order."""
        return list(self._above)

    def of(self, text: str) -> str:
        while (above := self._above.get(text, text)) != text:
            text = above
        return text

    def join(self, a: str, b: str) -> None:
        for text in (a, b):
            self._above.setdefault(text, text)
        self._above[self.of(b)] = self.of(a)
