"""What a question is wrapped in: greetings, excuses, "I was wondering if you could tell me …", "thanks".

Works on the text, before any word is looked up. A wrapping goes only where a whole question follows it: in "who sang
Hello?", "could you give me a loan?" and "do you know how to swim?" the courtesy is the question. Before anything less,
such as "pull up Ford's debt", it goes where the rest asks for a figure, which the caller sees.
"""

from __future__ import annotations

import re
from typing import NamedTuple


def _any(*phrases: str) -> str:
    """One of these, each given as words or as a pattern of words."""
    return "(?:" + "|".join(phrase.strip() for line in phrases for phrase in line.split(";")) + ")"


def _maybe(*phrases: str) -> str:
    """One of these and the space after it, or nothing."""
    return f"(?:{_any(*phrases)} )?"


_GAP = r"[\s,.!:;\u2013\u2014-]*\s"
_ME = _any("me; us")
_JUST = f"(?:{_any('please; kindly; just; quickly; possibly; perhaps; maybe; also; really; actually')} ){{0,3}}"

_HELLO = _any("hi; hello; hey; hiya; greetings; good (?:morning|afternoon|evening|day)")
_HELLO += f"(?: {_any('there; all; team; everyone; folks; again')})?"
_TO_BOTHER = (
    r"to (?:bother|disturb|trouble|interrupt) you; for (?:bothering|disturbing|troubling) you; for the \w+ question"
)
_SORRY = (
    _any(rf"(?:i'm |i am )?(?:so |very )?(?:sorry|apologies)(?: {_any(_TO_BOTHER)})?; excuse me; pardon me")
    + "(?:,? but)?"
)
_ANNOUNCED = _maybe("i've; i have; just") + _maybe("a; an; one; another; my")
_ANNOUNCED += _maybe("quick; short; simple; small; basic; random; further")
_ANNOUNCED += r"(?:question|one)(?: for you| here)?(?=\s*[:,.\u2013\u2014-])"
_DOCUMENT = (
    "report; presentation; project; paper; essay; memo; homework; assignment; article; thesis; deck; model; dashboard"
)
_PURPOSE = rf"(?:for|as part of) (?:an?|my|our|this) (?:\w+ ){{0,2}}{_any(_DOCUMENT)}"
_PURPOSE += " (?:that )?(?:i'm|i am|we're|we are) (?:writing|preparing|working on|doing|building|putting together)"
_PLEASE = _any("please; pls; plz; kindly")
_AROUND = _any(_HELLO, _SORRY, _ANNOUNCED, _PLEASE, "out of curiosity; dear assistant")

# "I want to check if an email is real" asks how. So only before figures these are the same as to know.
_KNOW = _any("know; learn; understand; hear; be told")
_LEARN = _any(_KNOW, "find out; see; figure out; work out; check; clarify; confirm; get")
_GIVE = _any(rf"(?:tell|give|show|remind|inform)(?:ing)? {_ME}; let(?:ting)? {_ME} know")
_TELL = _any(
    _GIVE,
    rf"help(?:ing)? {_ME}(?: out)?(?: to)? (?:know|learn|understand)",
)
_EXPLAIN = rf"(?:explain|explaining|describe|describing|clarify|clarifying)(?: to {_ME})?"
# What someone may be able to do: "can you check if milk is bad".
_LOOK = _any(
    "look(?:ing)? up; check(?:ing)?; find(?:ing)?(?: out)?; pull(?:ing)?(?: up)?; dig(?:ging)? up; fetch(?:ing)?",
    "work out; share; sharing; provide; providing; figure out; see",
)
_SEARCH = _any(
    rf"{_LOOK}(?: {_ME}(?: with)?| for {_ME})?; get(?:ting)? {_ME}",
    rf"help(?:ing)? {_ME}(?: out)? (?:with|(?:to )?(?:find|get|check))",
)
_KINDLY = rf"{_JUST}(?:mind |be (?:able|so kind as|kind enough) to )?{_JUST}"
_BY_CHANCE = "(?:is there )?any chance (?:that )?you (?:can|could)[ ]; (?:is it|would it be) possible for you to[ ]"
_WOULD_YOU = _any(f"(?:can|could|would|will|might|may) you {_KINDLY}", _BY_CHANCE)
_WOULD_SOMEONE = _any(f"(?:can|could|would) (?:someone|somebody|anyone|anybody) {_KINDLY}", _WOULD_YOU)
# "Can I get a dividend from Ford" asks for no figure.
_MAY_I = rf"(?:may|can|could|might) i {_JUST}(?:see|find out|check|look up|know|ask|get|have)"
_IF_YOU_COULD = (
    rf"(?:if |whether )?you (?:can|could|might|would|may) {_JUST}(?:be able to )?(?:{_TELL}|{_EXPLAIN}|know)"
)


def _wish(learn: str) -> str:
    return _any(
        rf"i(?:'d| would)? {_JUST}(?:like|love|want|wanted|need|needed|appreciate|wish) {_JUST}(?:to {learn}|knowing)",
        rf"(?:i'm|i am) {_JUST}(?:trying|hoping|looking|curious|keen|interested) {_JUST}(?:to {learn}|in knowing)",
        rf"i(?:'m| am| was)? {_JUST}(?:wonder|wondering|curious|hoping)(?: {_IF_YOU_COULD}| if (?:any|some)one knows)?",
        "(?:just )?(?:wondering|curious); what (?:i'd like|i would like|i want|i need) to know is",
        "my (?:boss|manager|client|colleague|team|professor|teacher) (?:wants|needs|would like) to know",
        "it would be (?:great|nice|helpful|good) to know",
    )


_KNOWING = _any(
    f"do (?:you|we) {_maybe('happen to; perhaps; by any chance; actually; already')}know",
    "(?:would|might) you happen to know; by any chance,? do you know",
    "does (?:anyone|anybody|someone|somebody) (?:here )?know",
    "(?:do you have |have you (?:got )?)?(?:any|an) (?:idea|clue)",
)
# Who asks this of a day that is past does not ask what is possible.
_MAY_I_OF = rf"{_MAY_I}(?=.*\b(?:19|20)?\d\d\b)"
# Before a whole question these say nothing, whatever is asked.
_ASKING = _any(rf"(?:{_WOULD_SOMEONE})?(?:{_TELL}|{_EXPLAIN})", _wish(_KNOW), _KNOWING)
# "Can you check inventory at Walmart" asks for a service.
_OF_A_FIGURE = rf"(?={_GAP}(?:the\b|.*\d))"
_HAVING = _any("know; find out; see; look up")
_ASKING_FOR = _any(
    rf"(?:{_WOULD_SOMEONE})?{_GIVE}; (?:{_WOULD_YOU})?{_SEARCH}{_OF_A_FIGURE}; i (?:can't|cannot|couldn't) find",
    _wish(_HAVING),
    _KNOWING,
    _MAY_I_OF,
)
_SEARCHING = _any(
    rf"(?:{_WOULD_SOMEONE})?(?:{_TELL}|{_EXPLAIN}); (?:{_WOULD_YOU})?{_SEARCH}", _wish(_LEARN), _KNOWING, _MAY_I_OF
)

_WH = r"(?:(?:by|in|to|at|for|from|on|of|with|under) )?(?:what|who|whom|whose|when|where|why|how|which)(?:'s|s|'re)?\b"
_CLAUSE = rf"{_WH}(?!\s*(?:$|[?.!]))"
_DIRECT = _any(
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)(?:n't)?\b; won't",
    r"(?:list|compare|summari[sz]e|calculate|compute|define|name|explain|describe)\b",
)
_THANKS = "thanks; thank you; thx; cheers; many thanks; much appreciated"
_MUCH = "(?: (?:a lot|so much|very much|again|in advance)){0,2}"
_LAST_WORDS = _any(
    rf"(?-i:please|pls|plz|PLEASE); {_any(_THANKS)}{_MUCH}; asap; as soon as possible; if possible; by any chance",
    "if you (?:know|can|could|don't mind|have it|happen to know); do you know(?: what it (?:is|was))?; any idea",
    "(?:can|could) you (?:tell me|help(?: me)?(?: out)?|check); (?:just )?(?:curious|wondering); out of curiosity",
    "help me out; i need (?:it|this|to know|the answer)(?: (?:asap|urgently|quickly|today|now))?",
)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# What is known to whoever is asked, or was spoken of before.
_TO_ONE = r".*\b(?:he|she|you|your)\b)"
_AN_ORDER = rf"(?:{_WOULD_YOU})(?=(?:define|explain|summari[sz]e|describe|compare|calculate)\b)"
_AROUND_A_QUESTION = _pattern(
    rf"(?:(?:{_AROUND}{_GAP})+(?:{_AN_ORDER})?|{_AN_ORDER})(?={_CLAUSE}|{_DIRECT}|{_ASKING}\b)"
)
_BEFORE_A_CLAUSE = _pattern(rf"(?:(?:{_ASKING}|{_PLEASE}){_GAP})+(?={_CLAUSE})(?!how\s+to\b|{_TO_ONE}")
_BEFORE_WHETHER = _pattern(
    rf"(?:(?:{_WOULD_SOMEONE})?{_TELL}|{_wish(_KNOW)}|{_KNOWING}){_GAP}(?:if|whether)\s+(?=\w)(?!{_TO_ONE}"
)
# What one writes says nothing about a figure, but about what one should take for it.
_BEFORE = rf"(?:{_AROUND}|{_PURPOSE}(?!.*\b(?:should|could|best|good)\b))"
_BEFORE_A_FIGURE = _pattern(
    rf"(?:(?:{_BEFORE}|{_SEARCHING}){_GAP})+(?={_CLAUSE})"
    rf"|(?:(?:{_BEFORE}|{_ASKING_FOR}){_GAP})+(?!(?:if|whether)\b)(?=\S)"
)
_WHETHER_A_FIGURE = _pattern(rf"{_SEARCHING}{_GAP}(?:if|whether)\s+(?=\w)")
_AFTERWARDS = _pattern(
    rf"(?:(?:(?<![,;.?!])(?<!\byes)(?<!\bno)[,;.?!\u2013\u2014-]{{1,3}}\s?|\s-\s){_LAST_WORDS}){{1,4}}[\s.!?]*$"
)
_FOR_ME = _pattern(r" for (?:me|us)[\s.?!]*$")
_ABOUT_NAMES = _pattern(
    r"\b(?:called|known as|renamed|named|stands? for|spell|spelled|spelling|letters|acronym|abbreviation|pronounced?)\b"
)
_ABOUT_WORDS = _pattern(
    r"\b(?:say|said|spell|translate|write|means?|pronounce|sang|sings?|sung|song|stands? for|for (?:yes|no)"
    r"|repl(?:y|ies)|respond|answer|email|letter|polite|rude|phrase"
    r"|french|german|spanish|italian|japanese|chinese|english|latin|portuguese|russian|korean|arabic|dutch|thai|hindi)\b"
)
# "Let me know when dinner is ready" is no question, nor is "tell me if the price falls".
_FOR_LATER = _pattern(r"(?:.*\b(?:let|remind|inform)(?:ting|ing)? (?:me|us)|(?:please )?(?:tell|show) (?:me|us))\b")
_UNTIL = _pattern(r"(?:when|if|whether)\b(?!.*\b(?:was|were|did|had|(?:19|20)\d\d|\w+ed)\b)")
_TYPOGRAPHIC = str.maketrans("\u2018\u2019\u02bc", "'''")


class Unwrapped(NamedTuple):
    text: str
    indirect: bool
    """It was asked in a subordinate clause: "do you know what Apple's revenue was"."""


def unwrapped(question: str) -> Unwrapped:
    """The question without what is no part of it, whatever it asks for."""
    return _unwrapped(question, _BEFORE_A_CLAUSE, _BEFORE_WHETHER) or Unwrapped(question, indirect=False)


def figure_asked_for(question: str) -> Unwrapped | None:
    """What follows a request that would be a question of its own elsewhere: the rest of "pull up Ford's debt"."""
    found = _unwrapped(question, _BEFORE_A_FIGURE, _WHETHER_A_FIGURE)
    return Unwrapped(_FOR_ME.sub("", found.text), indirect=True) if found is not None and found.indirect else None


def is_about_names(question: str) -> bool:
    """Where one name of a company is not as good as another."""
    return _ABOUT_NAMES.search(question) is not None


def is_about_words(question: str) -> bool:
    """ "How do you say no, thanks?": what is left out elsewhere may be asked about."""
    return _ABOUT_WORDS.search(question) is not None


def _unwrapped(question: str, clause: re.Pattern[str], whether: re.Pattern[str]) -> Unwrapped | None:
    text = _without_tail(" ".join(question.split()))
    plain = text.translate(_TYPOGRAPHIC)
    start = around.end() if (around := _AROUND_A_QUESTION.match(plain)) else 0
    for pattern, begins in ((clause, ""), (whether, "whether ")):
        if before := pattern.match(plain, start):
            rest = before.end()
            if _FOR_LATER.match(plain, start, rest) and _UNTIL.match(f"{begins}{plain[rest:]}"):
                return None
            return Unwrapped(begins + text[rest:], indirect=True)
    return Unwrapped(text[start:], indirect=False)


def _without_tail(text: str) -> str:
    plain = text.translate(_TYPOGRAPHIC)
    end = None if is_about_words(plain) else _AFTERWARDS.search(plain)
    return text[: end.start()] if end is not None and end.start() > 0 else text
