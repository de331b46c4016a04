"""Whole questions in a few words that are one question: "who runs Ford" asks for its chief executive.

A pattern is a row of atoms, one for each item of the question, and must fit all of it. An atom is the value of an item
(of a verb its base form), `=` and a word as it is written, or one of:

    K, N, C     a known company, an unknown name, either of them; C' with a possessive; D another one
    S, G        a part of a company, a place
    ?who        a question word; m: d: b: before a metric, a direction, a basis

`a|b` is either, `a?` may be missing, `a*` may be there several times. In what a pattern becomes, an atom spelled as in
the pattern is what it fitted, and `slot:value` a new item in the place of the words that are left out. A period with
its preposition, "now" and articles may stand anywhere, and are in no pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from api.cache.slots.lexicon import Lexicon, Word
from api.cache.slots.reading import NAME, Item, is_possessive

_PREFIXES = {
    "metrics": "m:",
    "directions": "d:",
    "basis": "b:",
    "question": "?",
    "documents": "doc:",
    "modal": "modal:",
}
_PLACES = {"geography": "G", "segment": "S", "index": "X"}
_CLASSES = {"C": "[KN]", "C'": "[KN]'", "C-": "[KN](?!')", "D": "[KN]"}
_OF_PERIOD = frozenset({"in", "for", "of", "during", "at", "on", "as-of"})
_LITTLE = frozenset({"article", "auxiliary", "preposition", "pronoun", "connective"})


class Rewording(NamedTuple):
    pattern: re.Pattern[str]
    atoms: tuple[str, ...]
    becomes: tuple[str, ...]


def compiled(rules: Mapping[str, str]) -> tuple[Rewording, ...]:
    """`rules`: several patterns, one a line, by what they become."""
    return tuple(
        _compiled(line.split(), becomes.split())
        for becomes, lines in rules.items()
        for line in lines.strip().split("\n")
    )


def reworded(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon, rules: Sequence[Rewording]) -> list[Item]:
    """The items, or what the first pattern that fits them all makes of them."""
    bare, aside = _apart(items)
    codes = [f" {_code(item, words, lexicon)}" for item in bare]
    ends = {end: index + 1 for index, end in enumerate(accumulate(map(len, codes)))} | {0: 0}
    text = "".join(codes)
    for rule in rules:
        fit = rule.pattern.fullmatch(text)
        if fit is not None:
            return [*_made(rule, fit, bare, ends), *aside]
    return list(items)


def _apart(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The items in which patterns are looked for, and those that may stand anywhere. An article before a name stays."""
    bare: list[Item] = []
    aside: list[Item] = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        is_of_period = following is not None and following.slot == "periods" and item.value in _OF_PERIOD
        if is_of_period or item.slot == "periods" or (item.slot, item.value) == ("basis", "current"):
            aside.append(item)
        elif item.slot != "article" or (following is not None and following.slot == "entities"):
            bare.append(item)
    return bare, aside


def _compiled(atoms: Sequence[str], becomes: Sequence[str]) -> Rewording:
    names = {_name(atom) for atom in atoms}
    if not all(atom in names or ":" in atom for atom in becomes):
        raise ValueError(f"{' '.join(becomes)} has something that {' '.join(atoms)} has not")
    return Rewording(re.compile("".join(map(_expression, atoms))), tuple(atoms), tuple(becomes))


def _name(atom: str) -> str:
    """What an atom is called in what its pattern becomes: a company is `C`, however it is to be written."""
    return "C" if atom in ("K", "N", "C'", "C-") else atom


def _expression(atom: str) -> str:
    many = atom[-1] if len(atom) > 1 and atom[-1] in "?*" else ""
    either = "|".join(map(_one, atom.removesuffix(many).split("|")))
    return f"((?: (?:{either})){many or '{1}'})"


def _one(name: str) -> str:
    if name.startswith("="):
        return rf"[^ ]*/{re.escape(name[1:])}"
    return f"{_CLASSES.get(name) or re.escape(name)}'?/[^ ]*"


def _code(item: Item, words: Sequence[Word], lexicon: Lexicon) -> str:
    texts = tuple(word.text for word in words[item.start : item.end])
    if item.slot == "entities":
        place = _PLACES.get(lexicon.entity_kinds.get(item.value, "company"))
        name = place or ("N" if item.value.startswith(NAME) else "K")
        name += "'" if is_possessive(words[item.end - 1]) else ""
    elif item.slot in ("carrier", "imperative"):
        name = lexicon.lemma(texts)
    else:
        name = _PREFIXES.get(item.slot, "") + item.value
    return f"{name}/{' '.join(texts)}".replace(" ", "_")


def _made(rule: Rewording, fit: re.Match[str], items: Sequence[Item], ends: Mapping[int, int]) -> Iterator[Item]:
    spans = {_name(atom): fit.span(group) for group, atom in enumerate(rule.atoms, 1)}
    left_out = [items[ends[start]] for atom, (start, end) in spans.items() if atom not in rule.becomes and start < end]
    place = next((item for item in left_out if item.slot not in _LITTLE), (left_out or list(items))[0])
    for atom in rule.becomes:
        if atom in spans:
            start, end = spans[atom]
            yield from items[ends[start] : ends[end]]
        else:
            slot, _, value = atom.partition(":")
            at = next((item for item in left_out if item.slot == slot == "question"), place)
            yield Item(at.start, at.end, slot, value)
