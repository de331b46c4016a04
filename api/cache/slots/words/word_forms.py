"""The forms of English words that mean the same: plurals, and verbs in the tenses their lexicon entry gives.

Deliberately less than a stemmer: operating, operations and operator are three words, security and securities two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

# Words that end in s and are no plurals, or whose plural means something else.
_KEEP_S = frozenset(
    """
    accounts arms billings bookings business canvas christmas corps customs damages earnings economics forces futures
    gas goods headquarters holdings interests lens means minutes news odds operations options premises proceeds rights
    roas sales savings securities series services shares species spirits systems terms texas times works yes always
    perhaps besides sometimes overseas plus minus versus across less unless thus its his hers ours yours theirs
    was has does is this us as ones
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
_SIBILANTS = ("sses", "shes", "ches", "xes", "zzes")
_VOWELS = "aeiou"


@lru_cache(maxsize=16_384)
def singular(word: str) -> str:
    """The singular of a plural noun, which is also the base form of a verb with -s; any other word as it is."""
    if len(word) < 4 or not word.endswith("s") or word in _KEEP_S or word.endswith(("ss", "us", "is", "ics")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(_SIBILANTS):
        return word[:-2]
    return word[:-1]


def verb_forms(principal_parts: str) -> Iterator[str]:
    """All forms of a verb such as `grow, grew, grown`, `increase` or `go up, went up, gone up`."""
    base, *given = (part.strip() for part in principal_parts.split(","))
    verb, space, particle = base.partition(" ")
    tail = space + particle
    yield base
    yield _third_person(verb) + tail
    yield _present_participle(verb, given) + tail
    if given:
        yield from given
    else:
        yield _past(verb) + tail


def _third_person(verb: str) -> str:
    irregular = {"have": "has", "be": "is", "do": "does", "go": "goes"}
    if verb in irregular:
        return irregular[verb]
    if verb.endswith(("s", "sh", "ch", "x", "z")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2:-1] not in _VOWELS else verb + "s"


def _past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb.endswith("y") and verb[-2:-1] not in _VOWELS else verb + "ed"


def _present_participle(verb: str, given: list[str]) -> str:
    doubled = verb + verb[-1]
    if any(form.split(" ", 1)[0] == doubled + "ed" for form in given) or verb in {"get", "set", "cut", "run", "win"}:
        return doubled + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        return verb[:-1] + "ing"
    return verb + "ing"
