"""One order of words for one question: "at year-end Lyft's active riders were how many?" is "how many active riders did
Lyft have at year-end?".

Works on items, before anything is decided about the whole. Each rule is a pattern of a sentence with one company and
one thing asked for; whatever could change places with another thing of its kind stays where it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from api.cache.slots.question.carriers import kinds_carried
from api.cache.slots.question.frame import Frame
from api.cache.slots.words.items import NAME, Item

_FIGURES = frozenset({"flow", "expense", "ratio", "balance", "count", "market", "payment"})
# What a thing has, and nobody does to it: "the rate of Costco" is Costco's rate, "the attack of Costco" not its attack.
_MEASURES = frozenset(
    """rate ratio count number size volume volumes level base price cost total index score yield margin balance multiple
    capacity output mileage headcount footprint fleet backlog turnover utilization utilisation occupancy""".split()  # noqa: SIM905 -- a list of words reads best as text
)
# What is made is got: not so claims, exports, or donations.
_EARNED = frozenset(
    {"revenue", "net-sales", "gross-sales", "income", "profit", "earnings", "operating-income", "net-income", "ebitda"}
    | {"gross-profit", "free-cash-flow", "operating-cash-flow", "ebit", "advertising-revenue", "subscription-revenue"}
)
_SALES = frozenset({"revenue", "net-sales", "gross-sales"})
_LETTERS = {
    "question": {"what": "q", "which": "q", "how-much": "m", "how-big": "m", "how-many": "n"},
    "auxiliary": {"do": "d", "did": "d", "is": "b", "was": "b", "have": "h", "had": "h"},
    "preposition": {
        "of": "o",
        "at": "a",
        "in": "i",
        "on": "i",
        "for": "i",
        "during": "i",
        "as-of": "i",
        "by": "y",
        "from": "r",
    },
    "pronoun": {"its": "p", "it": "I"},
}
_SIGNS = {"periods": "t", "documents": "g", "article": "e", "modal": "M", "carrier": "v"}
_VERBS = frozenset({"carrier", "imperative", "idiom", "synonyms", "unknown", "directions"})
_CONTENT = frozenset({"unknown", "idiom", "synonyms", "basis", "metrics", "entities", "directions", "soft", "numbers"})


class _Sentence(NamedTuple):
    """One letter for each item.

    q "what", m "how much", n "how many", d "did", b "was", h "have", M "could", c a company, u a name that is not
    known, w such a name as the owner, f a figure, s sales, x other words, v a verb that says only that the company has
    the figure, i "in", a "at", o "of", y "by", r "from", t a period, g a document, k an earnings call, p "its",
    I "it", e "the", z all else.
    """

    frame: Frame
    items: Sequence[Item]
    letters: str

    def group(self, match: re.Match[str], name: str) -> list[Item]:
        return list(self.items[match.start(name) : match.end(name)])


_Arrange = Callable[[_Sentence, re.Match[str]], list[Item] | None]
_Rule = tuple[re.Pattern[str], _Arrange]


def with_question_in_front(frame: Frame) -> list[Item]:
    """The items of the question, with the question word first and what tells when last."""
    return _by_rules(frame, _OF_THE_WHOLE)


def in_usual_order(frame: Frame) -> list[Item]:
    """The items of the question, in the order that a plain question has."""
    return _by_rules(frame, (*_OF_THE_WHOLE, *_OF_THE_OWNER))


def _by_rules(frame: Frame, rules: Iterable[_Rule]) -> list[Item]:
    sentence = _sentence(frame, list(frame.items))
    for pattern, arranged in rules:
        match = pattern.fullmatch(sentence.letters)
        if match is not None and (items := arranged(sentence, match)):
            sentence = _sentence(frame, items)
    return list(sentence.items)


def _sentence(frame: Frame, items: Sequence[Item]) -> _Sentence:
    return _Sentence(frame, items, "".join(_sign(frame, item) for item in items))


def _sign(frame: Frame, item: Item) -> str:
    if item.slot not in ("entities", "metrics") and _is_in_compound(frame, item):
        return "x"
    if item.slot in _LETTERS:
        return _LETTERS[item.slot].get(item.value, "z")
    if item.slot in _SIGNS:
        return _SIGNS[item.slot]
    if frame.kind(item) == "company":
        return _sign_of_name(frame, item)
    if item.slot == "metrics":
        return _sign_of_metric(frame, item)
    return "x" if item.slot in _CONTENT else "z"


def _sign_of_name(frame: Frame, item: Item) -> str:
    if not item.value.startswith(NAME):
        return "c"
    return "w" if frame.is_possessive(item) else "u"


def _sign_of_metric(frame: Frame, item: Item) -> str:
    if item.value in _SALES:
        return "s"
    if item.value == "earnings-call":
        return "k"
    return "f" if frame.lexicon.metric_kinds.get(item.value) in _FIGURES else "x"


def _is_in_compound(frame: Frame, item: Item) -> bool:
    """ "For" in "like-for-like"."""
    before = frame.words[item.start - 1] if item.start else None
    return before is not None and before.token == frame.words[item.start].token


def _with_adjunct_last(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "In its Q4 earnings call, what did Delta say" is "what did Delta say in its Q4 earnings call"."""
    adjunct, rest = sentence.group(match, "adjunct"), sentence.group(match, "rest")
    names_it = any(sentence.frame.kind(item) == "company" for item in adjunct)
    points_back = any(item.slot == "pronoun" or sentence.frame.kind(item) == "company" for item in rest)
    return None if names_it and points_back else [*rest, *adjunct]


def _with_topic_in_place(sentence: _Sentence, match: re.Match[str]) -> list[Item]:
    """ "Chevron's capex in 2023: how much of it went to the Permian Basin?"."""
    return [*sentence.group(match, "before"), *sentence.group(match, "topic"), *sentence.group(match, "after")]


def _with_question_first(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "Costco operated how many stores in 2022?" is "how many stores did Costco operate in 2022?"."""
    (verb,) = sentence.group(match, "verb")
    if verb.slot == "auxiliary":
        did, verb = "did" if verb.value == "had" else "do", Item(verb.start, verb.end, "auxiliary", "have")
    elif verb.slot in _VERBS:
        did = "did" if sentence.frame.is_participle(verb) else "do"
    else:
        return None
    return [
        *sentence.group(match, "asked"),
        Item(verb.start, verb.end, "auxiliary", did),
        *sentence.group(match, "owner"),
        verb,
        *sentence.group(match, "rest"),
    ]


def _with_paper_last(sentence: _Sentence, match: re.Match[str]) -> list[Item]:
    """ "What does Intel's 10-K say" is "what does Intel say in its 10-K"."""
    groups = ("head", "owner", "rest", "paper")
    return [item for name in groups for item in sentence.group(match, name)]


def _with_figure_last(sentence: _Sentence, match: re.Match[str]) -> list[Item]:
    """ "Lyft's active riders in Q4 were how many?"."""
    return [*sentence.group(match, "asked"), *sentence.group(match, "be"), *sentence.group(match, "thing")]


def _as_owned(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "What organic order growth did ABB report" is "what was ABB's organic order growth"."""
    asked, thing = sentence.group(match, "asked"), sentence.group(match, "thing")
    if not _is_owned(sentence, match, thing):
        return None
    did = sentence.group(match, "did")
    be = _as_be(did)
    if asked and asked[0].value != "how-many":
        asked = [Item(asked[0].start, asked[0].end, "question", "what")]
    return [*asked, *be, *sentence.group(match, "owner"), *thing, *sentence.group(match, "rest")]


def _is_owned(sentence: _Sentence, match: re.Match[str], thing: Sequence[Item]) -> bool:
    """Only where plain rules cannot read it: some of the words that describe the figure are not known."""
    frame = sentence.frame
    if not any(item.slot in ("unknown", "synonyms") or frame.kind(item) == "company" for item in thing):
        return False
    verb = sentence.group(match, "verb") if "verb" in match.groupdict() else []
    if not verb or verb[0].slot == "auxiliary":
        return True
    figures = {item.value for item in thing if item.slot == "metrics"}
    if not figures:
        # "What organic growth did it report": what it reports may be anything, what it made was not what it got.
        return thing[-1].slot == "directions" and verb[0].value in ("any", "say")
    if verb[0].value == "flow" and not figures <= _EARNED:
        return False
    kinds = {frame.lexicon.metric_kinds.get(value, "flow") for value in figures}
    return kinds <= kinds_carried(verb[0].value)


def _as_measured(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "The membership renewal rate of Costco", unlike "the acquisition of Slack"."""
    *before, last = sentence.group(match, "thing")
    is_rate = any(sentence.frame.raw_text(item) == "per" for item in before)
    return _as_owned(sentence, match) if is_rate or sentence.frame.raw_text(last) in _MEASURES else None


def _with_shares_owned(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "Shares of Coca-Cola" are Coca-Cola shares."""
    (shares,) = sentence.group(match, "shares")
    if sentence.frame.raw_text(shares) != "shares":
        return None
    return [*sentence.group(match, "before"), *sentence.group(match, "owner"), shares, *sentence.group(match, "after")]


def _with_product_owned(sentence: _Sentence, match: re.Match[str]) -> list[Item] | None:
    """ "How much revenue did Merck get from Keytruda" is "what was Merck's Keytruda revenue"."""
    found = match.groupdict()
    (sales,) = [item for item in sentence.items[match.start() : match.end()] if item.value in _SALES]
    place = sentence.group(match, "place") if "place" in found else []
    when = sentence.group(match, "when") if "when" in found else []
    if any(sentence.frame.kind(item) != "geography" for item in place):
        return None
    named = [*sentence.group(match, "owner"), *sentence.group(match, "product"), sales, *place]
    asked = [Item(item.start, item.end, "question", "what") for item in sentence.group(match, "asked")]
    be = _as_be(sentence.group(match, "did"))
    return [*asked, *be, *named, *sentence.group(match, "rest"), *when]


def _as_be(did: Sequence[Item]) -> list[Item]:
    return [
        Item(item.start, item.end, "auxiliary", {"did": "was", "do": "is"}.get(item.value, item.value)) for item in did
    ]


_OWNER = "(?P<owner>[cuw])"
# A period, a paper
_REST = "(?P<rest>(?:[ia]?[ep]*[tgk]+)*)"
_THING = "(?P<thing>[xu]+[xufso]*[fs]|x+)"
_MEASURE = "(?P<thing>[xfsu][xfsuo]*)"
_PRODUCT = "(?P<product>u)"
_OF_THE_WHOLE: tuple[_Rule, ...] = tuple(
    (re.compile(pattern), arranged)
    for pattern, arranged in (
        ("(?P<adjunct>[ia][ecuwpt]*[tgk]|a[cuw])(?P<rest>[qmndbhMcuw][^t]+)", _with_adjunct_last),
        ("(?P<adjunct>t)(?P<rest>[^t]+)", _with_adjunct_last),
        (
            "(?P<topic>(?=.*[cuw])(?=.*[fs])[ecuwfsoiat]+)(?P<before>[qmn][^cuwI]*o)I(?P<after>[^I]+)",
            _with_topic_in_place,
        ),
        ("(?P<topic>[cu])(?P<before>[qmn][^cuwI]*d)I(?P<after>[^cuwIp]+)", _with_topic_in_place),
        (f"(?P<before>.*)(?P<shares>x)o{_OWNER}(?P<after>.*)", _with_shares_owned),
        (f"{_OWNER}(?P<verb>[xvh])(?P<asked>[qmn]c?[xufsop]*)(?P<rest>(?:[iaoyt].*)?)", _with_question_first),
        ("(?P<thing>e?[cuw][xfs]+(?:[iao]?e?t)?)(?P<be>b)(?P<asked>[qmn])", _with_figure_last),
        # What does its 10-K say about it: what does it say about it in its 10-K
        (f"(?P<head>q[^dcgt]*d){_OWNER}(?P<paper>t?gt?)(?P<rest>[xv][^tgcuw]*)", _with_paper_last),
    )
)
_OF_THE_OWNER: tuple[_Rule, ...] = tuple(
    (re.compile(pattern), arranged)
    for pattern, arranged in (
        (f"(?P<asked>[qm])s(?P<did>d){_PRODUCT}vi(?P<owner>c){_REST}", _with_product_owned),
        (f"(?P<asked>[qm])s(?P<did>d)(?P<owner>c)vr{_PRODUCT}{_REST}", _with_product_owned),
        (
            f"(?:(?P<asked>q)(?P<did>b))?e?(?P<owner>c)(?P<when>t?)(?P<place>x?)s[or]{_PRODUCT}{_REST}",
            _with_product_owned,
        ),
        (f"(?:(?P<asked>q)(?P<did>b))?e?{_PRODUCT}s[aoi](?P<owner>c){_REST}", _with_product_owned),
        (f"(?P<asked>[qm]){_THING}(?P<did>d){_OWNER}(?P<verb>v){_REST}", _as_owned),
        (f"(?P<asked>[qm]){_THING}(?P<did>b)(?P<verb>v)y{_OWNER}{_REST}", _as_owned),
        (f"(?P<asked>n)(?P<thing>[xfsu]+)(?P<did>d){_OWNER}(?P<verb>h){_REST}", _as_owned),
        (f"(?P<asked>n)(?P<did>)(?P<thing>[xfsu]+)a{_OWNER}{_REST}", _as_owned),
        (f"(?:(?P<asked>q)(?P<did>b))?e?{_MEASURE}a{_OWNER}{_REST}", _as_owned),
        (f"(?:(?P<asked>q)(?P<did>b))?e?{_MEASURE}o{_OWNER}{_REST}", _as_measured),
    )
)
