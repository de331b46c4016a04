"""Which words of an earlier question a phrase of the follow-up stands for, where the glossary knows neither."""

from __future__ import annotations

import re

from rag.language.words import STOP_WORDS, Token, is_telling, stem, tokens_of, word_set
from rag.rewriting.question import Question

_PREPOSITIONS = word_set("for in at with on under during without from by as after before per within over")
_BREAKS = _PREPOSITIONS | word_set(
    "of to is are was were be do does did can could should shall will would may might must has have had i we you they "
    "he she it if when that which who and or my our your its their there get gets need take use"
)
# "And the other two quarters?", "and the rest?": no thing that was asked for.
_PERIODS_AND_REST = set(map(stem, word_set("quarters years months weeks days halves half other rest remaining")))
_DETERMINERS = re.compile(r"(?:the|a|an|my|our|its|their|your)\s+", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?:'s?|\u2019s?)\s+")
_LONGEST = 5
_BEHIND = (
    r"(?=\s+(?:of|for|in|at|on|to|per|during|when|if|with|by|from|under|do|does|did|is|are|was|were|can|may|that)\b"
    r"|[?.!]*$)"
)
_DETERMINED = r"(?P<phrase>(?:the|a|an|my|our) [^?.,]+?)"
# What a question asks for, where it begins in one of the usual ways.
_ASKED_FOR = tuple(
    re.compile(pattern + _BEHIND, re.IGNORECASE)
    for pattern in (
        r"(?:what|which|who)(?:'s| is| are| was| were) (?P<phrase>(?:the |a |an |my |our )?[^?.,]+?)",
        r"how (?:many|much) (?P<phrase>[^?.,]+?)",
        rf"how (?:do|can|should|would) (?:i|we|you) [\w-]+ (?:up |out |off |on )?{_DETERMINED}",
        rf"how (?:long|big|high|large|old|heavy|far|often) (?:is|are|was|were) {_DETERMINED}",
        rf"(?:who|where|when|why) (?:is|are|does|do|did|was|were) {_DETERMINED}",
    )
)


def phrase_edit(earlier: Question, phrase: str) -> tuple[int, int, str] | None:
    """Range of the earlier question, and what to put there; None where more than one place could be meant, or none."""
    words = tokens_of(phrase)
    if not words or len(words) > _LONGEST:
        return None
    if words[0].lower in _PREPOSITIONS:
        return _after_preposition(earlier, phrase[0].lower() + phrase[1:], words)
    bare = _DETERMINERS.sub("", phrase, count=1)
    words = tokens_of(bare)
    if not words or any(word.lower in _BREAKS or stem(word.text) in _PERIODS_AND_REST for word in words):
        return None
    return _of_the_same_kind(earlier, bare, words) or _asked_for(earlier, bare, is_determined=bare != phrase)


def modified_figure(question: Question, start: int) -> int:
    """Where a figure begins with what narrows it down: `Retail segment revenue`, `adjusted net income`.

    A name right before it is whose figure it is where the question has no other name.
    """
    text = question.text
    spans = {name.end: name.start for name in question.names}
    taken = {(span.start, span.end) for span in question.periods}
    while True:
        before = next((token for token in question.tokens if token.end == start - 1 and text[token.end] == " "), None)
        if before is None or before.lower in STOP_WORDS or any(s < before.end and before.start < e for s, e in taken):
            return start
        if before.end in spans:
            return spans[before.end] if len({name.text.lower() for name in question.names}) > 1 else start
        if not before.text.islower() or before.end + 1 != start:
            return start
        start = before.start


def _after_preposition(earlier: Question, phrase: str, words: list[Token]) -> tuple[int, int, str] | None:
    """`and for children?` stands for what the earlier question has after its `for`, or is added to it."""
    text = earlier.text
    tokens = earlier.tokens
    places = [index for index, token in enumerate(tokens) if token.lower == words[0].lower and index + 1 < len(tokens)]
    periods = {span.start for span in earlier.periods}
    places = [index for index in places if tokens[index + 1].start not in periods]
    if len(places) > 1:
        return None
    if not places:
        end = len(text.rstrip(" ?!."))
        return end, end, f" {phrase}"
    last = places[0] + 1
    while last + 1 < len(tokens) and _continues(text, tokens[last], tokens[last + 1]):
        last += 1
    return tokens[places[0]].start, tokens[last].end, phrase


def _of_the_same_kind(earlier: Question, phrase: str, words: list[Token]) -> tuple[int, int, str] | None:
    """`and sick leave?` stands for `parental leave`."""
    tokens = earlier.tokens
    head = stem(words[-1].text)
    places = [index for index, token in enumerate(tokens) if stem(token.text) == head]
    if len(places) != 1:
        return None
    first = last = places[0]
    while first > last - len(words) + 1 and _continues(earlier.text, tokens[first - 1], tokens[first]):
        if not is_telling(tokens[first - 1].text):
            break
        first -= 1
    return tokens[first].start, tokens[last].end, phrase


def _asked_for(earlier: Question, phrase: str, *, is_determined: bool) -> tuple[int, int, str] | None:
    """`and the weight?` stands for what was asked of a product. `and aspirin?` may stand for the medicine of which it
    was asked: without an article it does so only where there is nothing else that it could stand for.
    """
    for pattern in _ASKED_FOR:
        match = pattern.match(earlier.text)
        if match is not None:
            start, end = match.span("phrase")
            if not is_determined and (
                _names_more(earlier, end) or any(start <= name.start < end for name in earlier.names)
            ):
                return None
            for name in earlier.names:
                owner = _POSSESSIVE.match(earlier.text, name.end)
                if owner is not None and start <= name.start < end:
                    return owner.end(), end, phrase  # whose it is stays
            determined = _DETERMINERS.match(earlier.text, start)
            return determined.end() if determined is not None else start, end, phrase
    return None


def _names_more(question: Question, start: int) -> bool:
    """Whether something other than a period stands from here on."""
    periods = [(span.start, span.end) for span in question.periods]
    return any(
        token.start >= start and is_telling(token.text) and not any(s <= token.start < e for s, e in periods)
        for token in question.tokens
    )


def _continues(text: str, one: Token, other: Token) -> bool:
    return text[one.end : other.start] in (" ", "'s ", "\u2019s ") and other.lower not in _BREAKS
