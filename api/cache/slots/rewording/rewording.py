"""Whole questions in a few words that are one question: "who runs Ford" asks for its chief executive.

A pattern is a row of atoms, one for each item of the question, and must fit all of it. An atom is the value of an item
(of a verb its base form), `=` and a word as it is written, or one of:

    U           another one that may be bought: a service of a company (AWS) is paid for by those who use it
    K, N, C, D  a known company, an unknown name, either of them, another one or a part of one; C' with a possessive
    M, P        a metric, an office; L one that is no name for people: for employees much else may be expected
    V, H, R     to rise or to fall, a form of is or do, an earnings report
    T, A        a period, any item but a preposition; T1, A1 where there are several; Y any but what L leaves out
    ..., ...b   any items
    ?who        a question word; m: d: b: before a metric, a direction, a basis
    E, F        a known company that is no investor, or that no person has bought (or a part of one)
    !T, !Q      no item: there must be no period, no quarter

`a|b` is either, `a?` may be missing. In what a pattern becomes, an atom spelled as in
the pattern is what it fitted, and `slot:value` a new item in the place of the words that are left out. A period with
its preposition, "now" and articles may stand anywhere, and are in no pattern, save one with "...". `T` in what it
becomes: the period's preposition says nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from api.cache.slots.words.items import NAME, Item, is_possessive
from api.cache.slots.words.lexicon import Lexicon, Word

_PREFIXES = {
    "metrics": "m:",
    "directions": "d:",
    "basis": "b:",
    "question": "?",
    "documents": "doc:",
    "modal": "modal:",
}
_PLACES = {"geography": "G", "segment": "S", "index": "X"}
_FOLK = "headcount|customers|users|shareholders|suppliers|competitors"
_LINKS = "(?:for|from|in|of|on|to|at|by|with|its)"
_CLASSES = {
    "C": "[KINB]",
    "C'": "[KINB]'",
    "D": "[KINBSW]",
    "U": "[KINBW]",
    "S": "[SW]",
    "K": "[KIB]",
    "E": "[KB]",
    "E'": "[KB]'",
    "F": "[KISW]",
    "M": "m:[^/]*",
    "L": f"m:(?!{_FOLK})[^/]*",
    "Y": f"(?!{_LINKS}/|m:(?:{_FOLK}))[^ /]*",
    "P": "m:(?:ceo|cfo|coo|cto|chair|president)",
    "T": "T:[^/]*",
    # "Its next earnings report", which is a date only where one asks when it is.
    "R": "m:earnings-date(?!/[^ ]*date)",
    "A": rf"(?!{_LINKS}/)[^ /]*",
    "H": "(?:is|was|do|did)",
    # What prices do. Stock up, as a retailer does, is not up, and shares that increase may be more of them.
    "V": r"d:(?:up(?=/(?:ris|ros|climb))|down(?=/(?:fall|fell|drop|declin|down(?: |$)))|surge|plunge|recover)",
}
_PARTICULARS = frozenset({"periods", "entities", "numbers", "units", "currencies", "negations", "top_n"})
_NAMES = "CDEFKNSU"
# They buy shares, and seldom a company.
INVESTORS = ("berkshire", "blackrock", "state-street", "vanguard", "fidelity", "softbank", "blackstone", "kkr")
# Parts of a company that were companies.
_ONCE_COMPANIES = frozenset({"youtube", "instagram", "whatsapp", "linkedin"})
_BOUGHT_BY_PEOPLE = frozenset({"twitter", "x", "dell"})
# What is put in other words is short, and "..." takes long in what is not.
_CALLED = {**dict.fromkeys(("K", "N", "E", "C'", "E'"), "C"), "U": "D", "L": "M", "Y1": "A1", "Y2": "A2"}
_MAX_ITEMS = 40
_OF_PERIOD = frozenset({"in", "for", "of", "during", "at", "on", "as-of"})
_LITTLE = frozenset({"article", "auxiliary", "preposition", "pronoun", "connective"})


class Rewording(NamedTuple):
    pattern: re.Pattern[str]
    atoms: tuple[str, ...]
    becomes: tuple[str, ...]
    without: str
    """What no period may have in it: "" is in every one, " " in none."""
    is_open: bool
    """It may have any items in it."""
    needs: str
    """A text that is in whatever the pattern fits: to look for it takes a tenth of the time."""


def compiled(rules: Mapping[str, str]) -> tuple[Rewording, ...]:
    """`rules`: several patterns, one a line, by what they become."""
    return tuple(
        _compiled(line.split(), becomes.split())
        for becomes, lines in rules.items()
        for line in lines.strip().split("\n")
    )


def reworded(
    items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon, tables: Iterable[Sequence[Rewording]]
) -> list[Item]:
    """The items, or what in each table in turn the first pattern that fits them all makes of them."""
    sight = _Sight(items, words, lexicon)
    for rules in tables:
        made = _first_made(sight, rules)
        if made is not None:
            sight = _Sight(made, words, lexicon)
    return list(sight.items)


def _first_made(sight: _Sight, rules: Sequence[Rewording]) -> list[Item] | None:
    if len(sight.items) > _MAX_ITEMS:
        return None
    for rule in rules:
        # Among words that nobody knows a period must stay where it is: the deal of 2022 is not the revenue of 2022.
        used, rest = (sight.whole, []) if rule.is_open else (sight.row, sight.aside)
        if rule.needs not in used.text:
            continue
        fit = rule.pattern.fullmatch(used.text)
        if fit is None or (sight.periods and rule.without in sight.periods):
            continue
        made = list(_made(rule, fit, used))
        if _particulars(made) == _particulars(used.items):
            return [*made, *(item for item in rest if item.slot != "preposition" or "T" not in rule.becomes)]
    return None


class _Sight:
    """What patterns see of a question: all of its items, and those without the ones that may stand anywhere."""

    def __init__(self, items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> None:
        self.items = items
        bare, self.aside = _apart(items)
        codes = {item: f" {_code(item, words, lexicon)}" for item in items}
        self.whole = _Row(items, codes)
        self.row = _Row(bare, codes) if self.aside else self.whole
        self.periods = "".join(item.value for item in self.aside if item.slot == "periods")


def _particulars(items: Iterable[Item]) -> Counter[tuple[str, str]]:
    """What no rewording may lose: without it the question would be another one."""
    return Counter((item.slot, item.value) for item in items if item.slot in _PARTICULARS and item.value != "end-year")


class _Row:
    """Items as a text in which patterns can be looked for."""

    def __init__(self, items: Sequence[Item], codes: Mapping[Item, str]) -> None:
        self.items = items
        self._codes = [codes[item] for item in items]
        self.text = "".join(self._codes)

    def at(self, span: tuple[int, int]) -> Sequence[Item]:
        start, end = span
        return self.items[self._ends[start] : self._ends[end]] if start < end else ()

    @cached_property
    def _ends(self) -> dict[int, int]:
        return {end: index + 1 for index, end in enumerate(accumulate(map(len, self._codes)))} | {0: 0}


def _apart(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The items in which patterns are looked for, and those that may stand anywhere: one period, or two with "and"."""
    bare: list[Item] = []
    aside: list[Item] = []
    for index, item in enumerate(items):
        following = _after_article(items, index)
        is_of_period = following is not None and following.slot == "periods" and item.value in (*_OF_PERIOD, "the")
        joins = is_of_period or (item.value == "and" and _is_between_periods(items, index))
        is_period = item.slot == "periods" and item.value != "end-year"
        is_aside = joins or is_period or (item.slot, item.value) == ("basis", "current")
        (aside if is_aside else bare).append(item)
    several = sum(item.slot == "periods" for item in aside) > 1
    if several and not any(item.value == "and" for item in aside):
        return list(items), []
    return bare, aside


def _after_article(items: Sequence[Item], index: int) -> Item | None:
    rest = [item for item in items[index + 1 : index + 3] if item.slot != "article"]
    return rest[0] if rest else None


def _is_between_periods(items: Sequence[Item], index: int) -> bool:
    return {item.slot for item in (*items[max(0, index - 1) : index], *items[index + 1 : index + 2])} == {"periods"}


def _compiled(atoms: Sequence[str], becomes: Sequence[str]) -> Rewording:
    without = {"!T": "", "!Q": "Q"}.get(atoms[0], " ")
    atoms = atoms[1:] if without != " " else atoms
    names = {"T", *map(_name, atoms)}
    if not all(atom in names or ":" in atom or atom.endswith("?") for atom in becomes):
        raise ValueError(f"{' '.join(becomes)} has something that {' '.join(atoms)} has not")
    is_open = any(atom.startswith("...") for atom in atoms)
    pattern = re.compile("".join(map(_expression, atoms)))
    return Rewording(pattern, tuple(atoms), tuple(becomes), without, is_open, _needed(atoms))


def _needed(atoms: Sequence[str]) -> str:
    """The longest of the atoms that are neither classes nor alternatives nor perhaps missing, as `_one` spells it."""
    sure = [atom for atom in atoms if not (atom.endswith("?") or atom.startswith("...") or "|" in atom)]
    words = [atom for atom in sure if atom.startswith("=") or atom.rstrip("0123456789") not in _CLASSES]
    return max((f"/{word[1:]}" if word.startswith("=") else f" {word}" for word in words), key=len, default="")


def _name(atom: str) -> str:
    """What an atom is called in what its pattern becomes: a company is `C`, however it is to be written."""
    name = atom.removesuffix("?")
    return _CALLED.get(name, name)


def _expression(atom: str) -> str:
    if atom.startswith("..."):
        return "((?: [^ ]+)*?)" if atom.endswith("?") else "((?: [^ ]+)+?)"
    many = "?" if atom.endswith("?") else "{1}"
    either = "|".join(map(_one, atom.removesuffix("?").split("|")))
    # An article before anything but a name says nothing here.
    article = "" if atom[0] in _NAMES else "(?: (?:the|article)/[^ ]*)?"
    return f"{article}((?: (?:{either})){many})"


def _one(name: str) -> str:
    if name.startswith("="):
        return rf"[^ ]*/{re.escape(name[1:])}"
    return f"{_CLASSES.get(name.rstrip('0123456789')) or re.escape(name)}'?/[^ ]*"


def _kind_of_company(value: str) -> str:
    if value.startswith(NAME):
        return "N"
    if value in _BOUGHT_BY_PEOPLE:
        return "B"
    return "I" if value.startswith(INVESTORS) else "K"


def _code(item: Item, words: Sequence[Word], lexicon: Lexicon) -> str:
    texts = tuple(word.text for word in words[item.start : item.end])
    if item.slot == "entities":
        place = _PLACES.get(lexicon.entity_kinds.get(item.value, "company"))
        name = "W" if item.value in _ONCE_COMPANIES else place or _kind_of_company(item.value)
        name += "'" if is_possessive(words[item.end - 1]) else ""
    elif item.slot == "periods":
        name = item.value if item.value == "end-year" else f"T:{item.value}"
    elif item.slot in ("carrier", "imperative"):
        name = lexicon.lemma(texts)
    else:
        name = _PREFIXES.get(item.slot, "") + item.value
    return f"{name}/{' '.join(texts)}".replace(" ", "_")


def _made(rule: Rewording, fit: re.Match[str], row: _Row) -> Iterator[Item]:
    found = {_name(atom): row.at(fit.span(group)) for group, atom in enumerate(rule.atoms, 1)}
    kept = set(map(_name, rule.becomes))
    left_out = [item for atom, items in found.items() if atom not in kept for item in items]
    place = next((item for item in reversed(left_out) if item.slot not in _LITTLE), (*left_out, *row.items)[0])
    for atom in rule.becomes:
        if _name(atom) in found:
            yield from found[_name(atom)]
        elif ":" in atom and not atom.endswith("?"):
            slot, _, value = atom.partition(":")
            asked = next((item for item in left_out if item.slot == slot == "question"), None)
            # The last of several words: "make a profit" is profitable, and nothing that one makes.
            yield Item(place.end - 1, place.end, slot, value) if asked is None else asked._replace(value=value)
