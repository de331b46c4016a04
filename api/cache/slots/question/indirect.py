"""Subordinate questions in the order of direct ones: "what a convertible bond is" asks "what is a convertible bond".

For questions that are compared word by word. Where it is not sure which word is the verb, the order stays.
"""

from __future__ import annotations

from collections.abc import Sequence

_BE = frozenset({"is", "are", "was", "were"})
_HELPS = _BE | {"can", "could", "will", "would", "should", "may", "might", "must", "has", "have", "had"}
_ASKING = frozenset({"what", "who", "where", "when", "why", "how"})
# "How many people are there": what follows these belongs to the question word.
_OF_DEGREE = frozenset(
    {"many", "much", "long", "old", "often", "far", "high", "tall", "big", "large", "fast", "well", "deep", "wide"}
    | {"hot", "cold", "heavy", "common", "likely", "good", "bad", "come", "about", "else", "to"}
)
_RELATIVE = _ASKING | {"that", "which", "whose", "whom"}
# Verbs that have no object, so that the question ends with them.
_VERBS = {"works": "does", "work": "do", "functions": "does", "function": "do", "happens": "does", "happen": "do"}
_ENDING_IN_S = frozenset({"works", "functions", "happens"})


def in_direct_order(words: Sequence[str]) -> list[str]:
    texts = [word.lower() for word in words]
    if texts[:1] == ["whether"]:
        return _yes_no(list(words), texts)
    if len(words) < 3 or texts[0] not in _ASKING or texts[1] in _OF_DEGREE | _HELPS:
        return list(words)
    helping = [index for index, text in enumerate(texts) if text in _HELPS]
    if len(helping) == 1 and _RELATIVE.isdisjoint(texts[1 : helping[0]]):
        return _moved(list(words), helping[0], to=1)
    last = texts[-1]
    if not helping and last in _VERBS and texts[0] in ("how", "when", "where", "why"):
        base = words[-1][:-1] if last in _ENDING_IN_S else words[-1]
        return [words[0], _VERBS[last], *words[1:-1], base]
    return list(words)


def _yes_no(words: list[str], texts: Sequence[str]) -> list[str]:
    helping = [index for index, text in enumerate(texts) if text in _HELPS]
    return _moved(words, helping[0], to=1)[1:] if len(helping) == 1 else words


def _moved(words: list[str], index: int, *, to: int) -> list[str]:
    return [*words[:to], words[index], *words[to:index], *words[index + 1 :]]
