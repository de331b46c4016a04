"""Questions for the meaning of a term that is no figure: "what is a convertible bond", "define convertible bond".

A name after "what is" is no term, and "the matter" no matter: only an article that says nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_WORDS = r"(?P<term>[a-z-]+(?: [a-z-]+){0,4})"
_TERM = rf"(?:the (?:term|word|phrase|expression|concept(?: of)?) )?(?P<article>an? )?{_WORDS}"
_ASKED = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"what is meant by {_TERM}",
        rf"(?:what is )?(?:the )?definition of {_TERM}",
        # Not "of a white rose", which stands for something.
        rf"(?:what is )?(?:the )?(?P<article>)meaning of {_WORDS}",
        # Not "a black cat", which bodes something.
        rf"what does (?:the (?:term|word|phrase) )?(?P<article>){_WORDS} mean",
        rf"what {_TERM} means",
        rf"define {_TERM}",
        rf"explain (?=the (?:term|concept) ){_TERM}",
        rf"(?P<article>){_WORDS} (?:definition|meaning|defined)",
    )
]
_WHAT_IS = re.compile(r"what is (?:(?P<article>an? )|(?P<the>the ))?(?P<term>[a-z-]+(?: [a-z-]+){0,4})", re.IGNORECASE)
# Of one word, or without an article, only such words are terms: not "what is new", "what is iron".
_ABSTRACT = ("tion", "sion", "ment", "ity", "ism", "ness", "ance", "ence", "cy", "erage", "trage", "ics", "ship", "sis")
_ACTIVITIES = (*_ABSTRACT, "ing")
_JOINTS = frozenset({"of", "and", "to", "on"})
# Words of questions that ask for more than a meaning.
_NOT_IN_TERMS = frozenset(
    """
    a an the this that these those it its they them there here i you he she we me my your our his her us is are was
    were be been being do does did has have had can could will would should may might must what who when where
    why how which in at for from with by than like if as about worth called used made done going wrong next
    new up out happening now today tonight mean means meant not no or but so one best first last most more
    less other another good bad right true
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
# "What does a high yield mean" asks what follows from it.
_DEGREES = frozenset(
    {
        "high",
        "low",
        "good",
        "bad",
        "strong",
        "weak",
        "rising",
        "falling",
        "negative",
        "positive",
        "large",
        "small",
        "normal",
    }
    | {"healthy", "higher", "lower", "big", "red", "white", "black", "green", "blue", "yellow", "pink"}
)
# What these mean is what they stand for: "owl tattoo meaning".
_SIGNS = frozenset(
    """
    tattoo emoji light ring card flag dream symbol logo sign signal gesture flower rose cat bird owl crow butterfly
    crystal gemstone name surname song lyrics quote verse candle bracelet necklace charm crest emblem badge sticker icon
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
# After somebody's name: "the Sharpe ratio" is a term, "the exchange ratio" somebody's figure.
_NAMED_AFTER = frozenset(
    {"ratio", "model", "curve", "effect", "paradox", "scheme", "theorem", "rule", "principle", "cycle"}
)


def defined_term(words: Sequence[str], terms: Collection[str], *, depends_on_the_day: bool) -> tuple[str, ...] | None:
    """The term whose meaning is asked for. `words` in the order of a direct question; `terms` known to be some."""
    text = " ".join(words)
    for pattern in _ASKED:
        if match := pattern.fullmatch(text):
            return _term(match["term"], match["article"], terms)
    match = _WHAT_IS.fullmatch(text)
    if match is None:
        return None
    found = match["term"].split()
    if match["the"]:
        return _term(match["term"], None, terms) if _is_eponym(found) else None
    if not match["article"] and (depends_on_the_day or not _is_mass_noun(found[-1], terms, alone=len(found) == 1)):
        return None
    return _term(match["term"], match["article"], terms)


def _term(term: str, article: str | None, terms: Collection[str]) -> tuple[str, ...] | None:
    words = term.split()
    if words[0].lower() == "the" and _is_eponym(words[1:]):
        words = words[1:]
    if words[0].lower() in _DEGREES and len(words) > 1 and not words[0][:1].isupper():
        return None
    if words[-1].lower() in _SIGNS:
        return None
    if not _NOT_IN_TERMS.isdisjoint(word.lower() for word in words) or {words[0], words[-1]} & _JOINTS:
        return None
    if len(words) == 1:
        return _single(words[0], article, terms)
    if any(word[:1].isupper() and not word.isupper() for word in words) and not _is_eponym(words):
        return None
    return tuple(words)


def _single(word: str, article: str | None, terms: Collection[str]) -> tuple[str, ...] | None:
    if word.lower() in terms and (word.islower() or word.isupper()):
        return (word.lower(),)
    if word.isupper() and len(word) > 1:
        return (word,)
    if word[:1].isupper() or article:
        # What a security is, and what security is, are two questions.
        return None
    return (word,) if word.endswith(_ABSTRACT) else None


def _is_mass_noun(word: str, terms: Collection[str], *, alone: bool) -> bool:
    if word.lower() in terms or (alone and word.isupper()):
        return True
    return word.endswith(_ABSTRACT if alone else _ACTIVITIES)


def _is_eponym(words: Sequence[str]) -> bool:
    if len(words) != 2:
        return False
    first, head = words
    names = first[:1].isupper() and first[1:].replace("-", "").isalpha() and not first.isupper()
    return names and head in _NAMED_AFTER
