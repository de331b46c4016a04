"""Parts of a whole: "what share of Roku's revenue came from China", "China's share of Roku's revenue" and "China as a
percentage of Roku's revenue" ask for one figure.

The whole and the part stay what they are: swapped, they are another question, and so is an amount.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from api.cache.slots.meaning.judgement import judge
from api.cache.slots.meaning.share_signs import Signs, read_signs
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.question.tense import tense_and_mood
from api.cache.slots.words.items import NAME

QUESTION_TYPE = "share"

_UNITS_OF_COMPANIES = frozenset({"segment", "business", "unit", "division"})
_WHOLE = "(?P<whole>[cplxiou]+?)"
_ALL_THE_WHOLE = "(?P<whole>[cplxiou]+)"
_PART = "(?P<part>[cplx][cplxionu]*)"
_HEAD = f"(?:q?b?s|m)o{_WHOLE}"
# What the part does to the whole: it comes "from" it, it goes "to" it, or it just "is" so much of it.
_PATTERNS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # What share of revenue came from China, was generated in China; did Apple get from China
        ("from", f"{_HEAD}r?b?f{_PART}"),
        ("from", f"{_HEAD}r?b(?:[gG][if]|G[iyf]?){_PART}"),
        ("from", f"{_HEAD}d(?P<owner>c)[gG]f{_PART}"),
        ("from", f"(?P<owner>c)[gG]qso{_WHOLE}f{_PART}"),
        # What share of revenue was licensing, is accounted for by licensing; does licensing make up (at Apple)
        ("is", f"(?:qs|m)o{_WHOLE}b{_PART}"),
        ("is", f"{_HEAD}bvy{_PART}"),
        ("is", f"{_HEAD}d{_PART}[vG]"),
        ("is", f"{_HEAD}d{_PART}v[iu](?P<owner>c)"),
        # Licensing was what share of revenue; what share does it make up of revenue
        ("is", f"{_PART}(?:[bv]qs|vm)o{_ALL_THE_WHOLE}"),
        ("is", f"qsd{_PART}vo{_ALL_THE_WHOLE}"),
        # Licensing's share of revenue; R&D as a percentage of revenue
        ("is", f"(?:qb)?(?P<part>[cplxionu]*p)so{_ALL_THE_WHOLE}"),
        ("is", f"(?:qb)?{_PART}aso{_ALL_THE_WHOLE}"),
        ("is", f"(?:qb)?(?P<part>l)so{_ALL_THE_WHOLE}"),
        # What share of revenue did Apple spend on R&D, went to R&D
        ("to", f"{_HEAD}d(?P<owner>c)t{_PART}"),
        ("to", f"{_HEAD}b?t{_PART}"),
    )
)
# "How much of its revenue, in percent, …", at the beginning or the end
_IN_PERCENT = re.compile(r"[ai]s(?!o)")


class Share(NamedTuple):
    parts: list[Part]
    """The whole, owner first, then the part, then the period."""
    basis: set[str]
    """Tense and mood."""


def share_parts(frame: Frame) -> Share | None:
    """None: it asks for no share, or not in a way that is known."""
    periods = [index for index, item in enumerate(frame.items) if item.slot == "periods"]
    signs = read_signs(frame) if len(periods) < 2 else None
    if signs is None:
        return None
    signs = _without_in_percent(signs)
    if signs is None or "o" not in signs.letters:
        return None
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(signs.letters)
        if match is not None:
            found = {name: signs.at[match.start(name) : match.end(name)] for name in match.groupdict()}
            parts = _arranged(frame, kind, found)
            if parts is None:
                return None
            return Share(_dated(frame, parts, periods, found), _tense(frame, signs, dated=bool(periods)))
    return None


def _dated(frame: Frame, parts: list[Part], periods: Sequence[int], found: dict[str, list[int]]) -> list[Part]:
    """Of what flows, both whole and part are of the period; debt that is due in 2025 is not the debt of 2025."""
    when = _judged(frame, periods, ())
    kinds = {frame.lexicon.metric_kinds.get(frame.items[index].value) for index in found["whole"]}
    flows = bool(kinds & {"flow", "expense"}) and not kinds & {"balance", "attribute", "market"}
    if not periods or (flows and not any(frame.is_participle(frame.items[index]) for index in found["part"][-1:])):
        return [*parts, *when]
    is_of_part = found["part"][0] < periods[0]
    marked = [Part("residual", "then"), *when] if is_of_part else when
    return [*parts, *marked]


def _tense(frame: Frame, signs: Signs, *, dated: bool) -> set[str]:
    """ "Was licensing" is no progress, and "came from" tells of the past as "was from" does."""
    found = {*tense_and_mood(frame)} - {"progressive"}
    return found | {"past"} if signs.in_the_past and not dated else found


def _without_in_percent(signs: Signs) -> Signs | None:
    """ "How much of its revenue came from China" may ask for an amount, unlike "does China account for"."""
    letters, at = signs.letters, signs.at
    match = _IN_PERCENT.search(letters)
    if "m" not in letters:
        return signs
    if match is None:
        return signs if "v" in letters else None
    kept = letters[: match.start()] + letters[match.end() :]
    return Signs(kept, [*at[: match.start()], *at[match.end() :]], signs.in_the_past)


def _arranged(frame: Frame, kind: str, found: dict[str, list[int]]) -> list[Part] | None:
    whole, part = [*found.get("owner", []), *found["whole"]], found["part"]
    if not any(_is_company(frame, index) for index in whole):
        whole, part = _with_owner_of_part(frame, whole, part)
    owners = [index for index in whole if _is_company(frame, index)]
    things = [index for index in whole if index not in owners and frame.items[index].slot != "preposition"]
    if len(owners) != 1 or not things or not part or not _may_be_part(frame, part):
        return None
    of_whole = _judged(frame, [*owners, *things], ("total",))
    of_part = _judged(frame, _without_what_it_repeats(frame, part, things), ())
    if len(of_whole) < 2 or not of_part:
        return None
    if kind == "is":
        kinds = {frame.lexicon.metric_kinds.get(part.value, "flow") for part in of_part if part.slot == "metrics"}
        # What is spent goes there; another figure need not come from it: dividends are not what a profit comes from.
        kind = "to" if "expense" in kinds else "is" if kinds - {"count"} else "from"
    return [*of_whole, Part("residual", f"share:{kind}"), *map(_without_slot, of_part)]


def _without_slot(part: Part) -> Part:
    """At the beginning of a question nobody sees whether a product's name is one."""
    return Part("residual", part.value.removeprefix(NAME)) if part.value.startswith(NAME) else part


def _judged(frame: Frame, indices: Sequence[int], redundant: Sequence[str]) -> list[Part]:
    judged = [judge(frame, index) for index in indices if frame.items[index].value not in redundant]
    return [part for part in judged if part is not None]


def _is_company(frame: Frame, index: int) -> bool:
    return frame.kind(frame.items[index]) == "company"


def _with_owner_of_part(frame: Frame, whole: list[int], part: list[int]) -> tuple[list[int], list[int]]:
    """ "Roku's platform segment as a percentage of revenue", "R&D as a percentage of revenue at Intel"."""
    owners = [index for index in part if _is_company(frame, index)]
    if len(owners) == 1 and part[0] == owners[0]:
        return [owners[0], *whole], part[1:]
    if len(owners) == 1 and part[-1] == owners[0] and frame.items[part[-2]].value in ("at", "of"):
        return [owners[0], *whole], part[:-2]
    return whole, part


def _may_be_part(frame: Frame, part: Sequence[int]) -> bool:
    """A customer, or a product with a name; Alphabet's share of Waymo's losses is what it bears of them."""
    known = [index for index in part if _is_company(frame, index) and not frame.items[index].value.startswith(NAME)]
    return not known or (known == list(part) and not frame.is_possessive(frame.items[known[0]]))


def _without_what_it_repeats(frame: Frame, part: Sequence[int], whole: Sequence[int]) -> list[int]:
    """ "Platform revenue" is platform's part of the revenue, and the platform segment the platform."""
    items = [frame.items[index] for index in part]
    if len(items) < 2 or any(frame.is_possessive(item) for item in items):
        return list(part)
    if items[-1].slot == "metrics" and items[-1].value in {frame.items[index].value for index in whole}:
        return list(part[:-1])
    is_unit = frame.text(items[-1]) in _UNITS_OF_COMPANIES and frame.kind(items[-2]) in (None, "segment")
    return list(part[:-1]) if is_unit else list(part)
