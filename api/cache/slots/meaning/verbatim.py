"""Questions about anything else: no slot is known, so every word counts, as it stands, in its order."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from api.cache.slots.meaning.definitions import defined_term
from api.cache.slots.meaning.figures import values
from api.cache.slots.meaning.freshness import depends_on_the_day
from api.cache.slots.question.context import is_personal, stands_alone
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.indirect import in_direct_order
from api.cache.slots.question.parts import Part
from api.cache.slots.types import Slots

_RECOGNISED = frozenset({"entities", "metrics", "periods", "numbers", "units", "currencies", "negations"})


def verbatim_slots(frame: Frame, *, problems: tuple[str, ...], relative: bool) -> Slots:
    """Two such questions are equal only if they differ in case, punctuation, contractions and courtesy alone.

    What was recognised all the same is there for tags and for the reasons given to people.
    """
    known = [
        Part(item.slot, f"geography:{item.value}" if frame.kind(item) == "geography" else item.value)
        for item in frame.items
        if item.slot in _RECOGNISED
    ]
    words = in_direct_order(_words(frame)) if frame.is_indirect else _words(frame)
    on_the_day = depends_on_the_day(frame, relative=relative)
    term = None if frame.has_known_company else defined_term(words, frame.lexicon.terms, depends_on_the_day=on_the_day)
    if term is not None:
        return Slots(question_type="define", ordered=True, residual=term, problems=problems)
    return Slots(
        # "What a bond is" and "what is a bond": what is asked for, the words say.
        question_type="what" if words[:1] == ["what"] and frame.is_indirect else frame.question_type,
        entities=values(known, "entities"),
        metrics=values(known, "metrics"),
        periods=values(known, "periods"),
        numbers=values(known, "numbers"),
        units=values(known, "units"),
        currencies=values(known, "currencies"),
        negations=values(known, "negations"),
        ordered=True,
        residual=tuple(words),
        problems=problems,
        in_domain=bool(frame.metrics or frame.companies),
        volatile=on_the_day,
        personal=is_personal(frame.items),
        standalone=stands_alone(frame),
    )


def _words(frame: Frame) -> list[str]:
    """Each token as it was written, save that a capital at the beginning of the question says nothing.

    WHO is not who, China is not china, Wendy's is not Wendy.
    """
    whispers = any(any(map(str.islower, word.raw)) for word in frame.words)
    found: list[str] = []
    used = [word for item in frame.items for word in frame.words[item.start : item.end]]
    for token, group in groupby(used, key=attrgetter("token")):
        words = list(group)
        text = "-".join(word.text for word in words)
        # WHO at the beginning is the organisation.
        as_it_is = whispers and text != "i" and (token or (text == "who" and words[0].raw == "WHO"))
        written = "-".join(word.raw for word in words) if as_it_is else text
        is_contraction = sum(word.raw == words[0].raw for word in used) > 1 and "'" in words[0].raw
        found.append(text if is_contraction else written)
    return found
