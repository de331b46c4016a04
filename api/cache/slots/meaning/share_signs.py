"""A question about a share, as a row of signs: one letter for each item, so that patterns can be read in it.

q "what", m "how much", s "share", o "of", a "as", b "is", d "did", v "account for", f "from", y "by", g "get",
G "generate", t "go to", i "in", u "for", r "that", c a company, p the owner of what follows, l a place or segment,
x all else that may be named.
"""

from __future__ import annotations

from typing import NamedTuple

from api.cache.slots.question.frame import Frame
from api.cache.slots.words.items import NAME

_SHARES = frozenset({"share", "percentage", "percent", "%", "portion", "proportion", "fraction"})
_OF_PERIOD = frozenset({"in", "for", "of", "at", "on", "during", "as-of"})
_MAY_BE_SHARES = frozenset({"units", "ask", "unknown", "synonyms", "basis"})
_LETTERS = {
    "question": {"what": "q", "which": "q", "how-much": "m", "how-big": "m"},
    "preposition": {"of": "o", "as": "a", "from": "f", "by": "y", "in": "i", "at": "i", "for": "u"},
    "auxiliary": {"is": "b", "was": "b", "do": "d", "did": "d"},
    "connective": {"and": "n"},
    "pronoun": {"its": "", "that": "r"},
}
_CONTENT = frozenset({"metrics", "unknown", "synonyms", "soft", "numbers", "top_n", "directions", "basis", "entities"})
_REPRESENT = frozenset(
    {"represent", "represents", "represented", "constitute", "constitutes", "constituted", "comprise", "comprises"}
    | {"comprised", "contribute", "contributes", "contributed", "account for", "accounts for", "accounted for"}
    | {"make up", "makes up", "made up"}
)
_GET = frozenset(
    {"get", "gets", "got", "earn", "earns", "earned", "make", "makes", "made", "derive", "derives", "derived"}
    | {"receive", "receives", "received"}
)
_GENERATE = frozenset(
    {"generate", "generates", "generated", "bring in", "brings in", "brought in", "produce", "produces", "produced"}
)
_GO = frozenset({"go to", "goes to", "went to", "spend on", "spends on", "spent on"})
_VERBS = {
    **dict.fromkeys(_REPRESENT, "v"),
    **dict.fromkeys(_GET, "g"),
    **dict.fromkeys(_GENERATE, "G"),
    **dict.fromkeys(_GO, "t"),
}
_FROM = frozenset({"attributable to", "stem from", "stems from", "stemmed from"})
_PAST = frozenset(
    {"represented", "constituted", "comprised", "contributed", "accounted for", "made up", "got", "earned", "made"}
    | {"generated", "derived", "received", "brought in", "produced", "went to", "spent on", "came from", "stemmed from"}
)


class Signs(NamedTuple):
    letters: str
    at: list[int]
    """Which item each letter is."""
    in_the_past: bool


def read_signs(frame: Frame) -> Signs | None:
    """Without its period and its articles; None: it holds what no such question has."""
    letters, at, in_the_past, index = "", [], False, 0
    while index < len(frame.items):
        length, sign = _sign(frame, index)
        if sign is None:
            return None
        text = _text(frame, index, length)
        in_the_past |= text in _PAST and not letters.endswith("b")
        letters += sign
        at.extend([index] * len(sign))
        index += length
    return Signs(letters.replace("ms", "qs"), at, in_the_past)


def _sign(frame: Frame, index: int) -> tuple[int, str | None]:
    """How many items it takes, and its letter: "" for what says nothing."""
    for length in (2, 1):
        text = _text(frame, index, length)
        if text in _FROM or text in _VERBS:
            return length, _VERBS.get(text, "f")
    item = frame.items[index]
    if item.slot in _MAY_BE_SHARES and _text(frame, index, 1) in _SHARES:
        return 1, "s"
    if item.slot == "preposition" and _is_of_period(frame, index):
        return 1, ""
    if item.slot in ("periods", "article", "courtesy"):
        return 1, ""
    if item.slot in _LETTERS:
        return 1, _LETTERS[item.slot].get(item.value)
    return 1, _named(frame, index)


def _named(frame: Frame, index: int) -> str | None:
    item = frame.items[index]
    is_product = frame.is_possessive(item) and item.value.startswith(NAME)
    if frame.kind(item) == "company" and not is_product:
        return "c"
    if item.slot not in _CONTENT:
        return None
    if frame.is_possessive(item):
        return "p"
    return "l" if item.slot == "entities" and not item.value.startswith(NAME) else "x"


def _text(frame: Frame, index: int, length: int) -> str:
    return " ".join(frame.raw_text(item) for item in frame.items[index : index + length])


def _is_of_period(frame: Frame, index: int) -> bool:
    after = [item for item in frame.items[index + 1 : index + 3] if item.slot != "article"]
    return frame.items[index].value in _OF_PERIOD and bool(after) and after[0].slot == "periods"
