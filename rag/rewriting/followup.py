"""What kind of follow-up a question is, and what it says by itself."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from rag.language.words import Token, word_set
from rag.rewriting.question import Question
from rag.rewriting.relative_periods import RelativePeriod, relative_periods_in


class Marker(Enum):
    """How a follow-up begins."""

    NONE = auto()
    AND = auto()
    ABOUT = auto()
    """What about, the same for, I meant: it wants the earlier question again with something else in it."""
    COMPARED = auto()


_COURTESY = re.compile(
    r"(?:(?:ok|okay|thanks|thank you|thx|great|cool|nice|perfect|alright|all right|right|got it|i see|hm+|sorry|well"
    r"|yes|no|yeah|good|fine|interesting|understood|sure|oh|ah)\b(?: a lot| very much| so much)?"
    r"(?:\s*[,.!;:\u2014-]+\s*|\s*$|\s+(?=(?:and|but|so|then|now|also|what|how|i mean|i meant|thanks|thank)\b)))+",
    re.IGNORECASE,
)
_AND = r"(?:(?:and|but|or|so|also|then|now|plus|next)\b[\s,]*)"
_IT = r"(?:it|that|this|they|those|these)(?: figures?| numbers?)?"
_ABOUT = "|".join(
    (
        r"(?:actually,? |rather,? )?(?:i (?:meant|mean|said|was asking about)|make (?:that|it))\s+",
        r"(?:what|how)(?:'s| is)? about\s+",
        r"what of\s+",
        r"(?:(?:do|show|give) )?(?:me )?(?:the )?same(?: (?:thing|question|figure|number))?(?: again)?,?(?: but)? @",
        rf"(?:can|could|would) you (?:please |also )*(?:tell|show|give|get) me (?:{_IT}|the same)\s+@",
        rf"(?:what|how (?:much|many|high|big|large|low)) (?:is|was|were|are) {_IT}\s+@",
    )
).replace("@", r"(?=(?:for|in|of|at|with|during|the|a|one|two|three)\b)")
_COMPARED = (
    rf"(?:(?:how (?:does|did|do) {_IT} compare|(?:as )?compared|compare {_IT}) (?:to|with)\s+|(?:versus|vs\.?)\s+)"
)
_MARKERS = (
    (Marker.ABOUT, re.compile(rf"{_AND}*(?:{_ABOUT})", re.IGNORECASE)),
    (Marker.COMPARED, re.compile(rf"{_AND}*(?:{_COMPARED})", re.IGNORECASE)),
    (Marker.AND, re.compile(rf"{_AND}+", re.IGNORECASE)),
)
_TAIL = re.compile(
    r"(?<![\s,])[\s,]*(?:\b(?:then|instead|too|as well|also|please|though|again|now)\b[\s,]*)*[\s?!.\u2026]*$",
    re.IGNORECASE,
)
# They ask for more of what was said, or for nothing.
_DANGLING = re.compile(
    r"(?:why|how|how so|how come|when|where|who|which(?: ones?)?|what|really|are you sure|is that (?:so|right|all|true)"
    r"|(?:please )?explain|elaborate|go on|continue|(?:tell me |any |some )?more(?: details?| about (?:it|that|this))?"
    r"|details?|why (?:not|is that|was that|that)|what else|anything else|and|so|then|what do you mean"
    r"|what does (?:it|that|this) mean|for example|such as|like what|sources?|says who"
    r"|can you (?:explain|elaborate)(?: that| it)?|summari[sz]e(?: that| it)?|again"
    r"|(?:please )?(?:give|show)(?: me)? (?:an?|some|another|more|one) examples?|(?:an?|some|another|more) examples?"
    r"|(?:an? |make it |be )?(?:shorter|longer|simpler|briefer|brief|more briefly|in short)(?: answer| version)?"
    r"|which (?:pages?|documents?|sections?|sources?)"
    r"|(?:please )?(?:show|give|make)(?: me)?(?: (?:it|that|them))?(?: in| as)? an? (?:chart|table|list|graph|summary)"
    r"|try again|rephrase(?: that| it)?|repeat(?: that)?|hello|hi|hey|bye|help|)",
    re.IGNORECASE,
)
# "s" is the ending of "and Aldine's?".
_GLUE = word_set("in for of at during on the a an and or its their his her by to from it that s")
# A text with one of them is a clause of its own.
_CLAUSE_WORDS = word_set(
    "is are was were be been do does did can could should shall will would may might must has have had i we you they"
    " he she it if when why how what who whom where which there isn't aren't doesn't don't won't can't"
)
_IMPERATIVES = word_set(
    "calculate check compare define describe discuss explain find give help identify let list name please provide show "
    "summarise summarize tell write"
)


class FollowUp(NamedTuple):
    marker: Marker
    start: int
    end: int
    """Of what is left between the marker and the punctuation."""
    says: Question
    relative: tuple[RelativePeriod, ...]
    rest: tuple[Token, ...]
    """Words that are none of all this."""

    @property
    def body(self) -> str:
        return self.says.text[self.start : self.end]

    @property
    def is_typed(self) -> bool:
        """Made of periods, names and figures alone."""
        return not self.rest and bool(self.says.periods or self.says.names or self.says.figures or self.relative)

    @property
    def is_clause(self) -> bool:
        words = [token.lower for token in self.says.tokens]
        return bool(words) and (words[0] in _IMPERATIVES or not _CLAUSE_WORDS.isdisjoint(words))


def read_follow_up(question: Question) -> FollowUp:
    text = question.text
    start = _after_courtesy(text)
    marker = Marker.NONE
    for kind, pattern in _MARKERS:
        match = pattern.match(text, start)
        if match is not None:
            marker, start = kind, match.end()
            break
    end = max(start, start + _TAIL.search(text[start:]).start())  # type: ignore[union-attr]  # it matches the empty end
    relative = tuple(span for span in relative_periods_in(text) if start <= span.start and span.end <= end)
    says = question.within(start, end)
    taken = [(span[0], span[1]) for spans in (says.periods, says.figures, says.names, relative) for span in spans]
    rest = tuple(
        token
        for token in says.tokens
        if token.lower not in _GLUE
        and not any(other < token.end and token.start < other_end for other, other_end in taken)
    )
    return FollowUp(marker, start, end, says, relative, rest)


def is_dangling(follow_up: FollowUp) -> bool:
    return _DANGLING.fullmatch(follow_up.body.strip()) is not None


def _after_courtesy(text: str) -> int:
    match = _COURTESY.match(text)
    return match.end() if match is not None else 0
