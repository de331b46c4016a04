"""What each item of a question about companies and figures contributes to its meaning.

The rule throughout: a word is left out only where a listed reason says that it can change nothing; otherwise it stays.
"""

from __future__ import annotations

from collections.abc import Callable

from api.cache.slots.meaning.articles import article
from api.cache.slots.meaning.concepts import concept
from api.cache.slots.meaning.dated import period
from api.cache.slots.meaning.directions import direction, with_voice
from api.cache.slots.meaning.prepositions import preposition
from api.cache.slots.question.carriers import carrier
from api.cache.slots.question.context import is_definition
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part, word
from api.cache.slots.question.pronouns import pronoun
from api.cache.slots.question.question_frame import COMPARISONS, DEFINITIONS
from api.cache.slots.question.words_themselves import (
    is_bare_name,
    is_counted,
    is_main_verb,
    is_one_of_the_largest,
    is_word_itself,
)
from api.cache.slots.words.items import Item

# Kinds of metric that a company and its best known brand share.
_OF_COMPANIES = frozenset({"flow", "expense", "ratio", "balance", "payment", "market"})
_SLOTS = frozenset({"entities", "metrics", "periods", "numbers", "units", "currencies", "basis", "negations", "top_n"})
_MAY_BE_SEVERAL = frozenset({"count", "balance"})
_NUMBERED = frozenset({"balance", "expense", "payment"})
# The amount of a risk is not the risk.
_NO_AMOUNTS = frozenset({"attribute", "person", "date", "place"})
# Events that a noun names too: who did it and to whom is told by "of" and "by" then (voice.py).
_EVENT_NOUNS = {"acquire": "acquisition", "appoint": "appointment", "launch-of": "launch", "purchase": "purchase"}


def judge(frame: Frame, index: int) -> Part | None:
    """None: it adds nothing."""
    slot = frame.items[index].slot
    if slot in _SLOTS:
        return _slot(frame, index)
    if slot in ("carrier", "imperative") and is_one_of_the_largest(frame, index):
        return Part("residual", f"{frame.raw_text(frame.items[index])}:plural")
    return _JUDGES.get(slot, word)(frame, index)


def _slot(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    match item.slot:
        case "periods":
            return period(frame, index)
        case "metrics":
            return Part("metrics", _metric(frame, index))
        case "basis":
            return Part("basis", _basis(frame, index))
        case "entities":
            return Part("entities", _entity(frame, item))
    return Part(item.slot, item.value)


def _metric(frame: Frame, index: int) -> str:
    item = frame.items[index]
    text = frame.text(item)
    if _asks_for_meaning(frame):
        # A turnover is more than sales, an order book more than a backlog.
        return concept(frame, item)
    if is_word_itself(frame, index):
        return f"word:{frame.raw_text(item)}"
    if frame.asks_for_one(item) or _is_of_a_share(frame, item):
        return f"{item.value}:one"
    if frame.metric_kinds <= _MAY_BE_SEVERAL and is_one_of_the_largest(frame, index):
        return f"{item.value}:several"
    if item.value.startswith("largest-") and text != frame.raw_text(item):
        return f"{item.value}:several"
    if frame.metric_kinds <= _NO_AMOUNTS and any(item.value == other.value for other in frame.items[:index]):
        # The suppliers of its suppliers
        return f"{item.value}:again"
    if frame.asks_for_names(index):
        return f"{item.value}:names"
    return "earnings-date" if frame.asks_for_results_day else item.value


def _basis(frame: Frame, index: int) -> str:
    item = frame.items[index]
    if item.value == "estimate" and index and frame.kind(frame.items[index - 1]) == "company":
        helped = any(other.value in ("do", "did") for other in frame.items[:index])
        if helped and not frame.is_possessive(frame.items[index - 1]):
            # What it estimated itself
            return "estimating"
    if frame.question_type == "yes-no" and "each" in frame.raw_text(item).split():
        # Rising in each quarter is more than quarterly figures that rise
        return f"each-{item.value}"
    if item.value == "expected" and frame.raw_text(item) != "expected":
        # What a company expects is not what it is expected to do, by others.
        return "expecting"
    if not frame.metrics and frame.text(item) == "outlook" and frame.question_type == "what":
        # What lies ahead, and what it says of that
        return "outlook"
    return item.value


def _entity(frame: Frame, item: Item) -> str:
    if (frame.is_brand(item) or is_bare_name(frame)) and not _has_shared_figure(frame):
        written = " ".join(word.raw for word in frame.words[item.start : item.end])
        return f"name:{written if is_bare_name(frame) else frame.raw_text(item)}"
    place = frame.kind(item)
    return f"{place}:{item.value}" if place in ("geography", "segment") else item.value


def _asks_for_meaning(frame: Frame) -> bool:
    """Of a figure as such, whoever has it."""
    return not frame.companies and (is_definition(frame) or frame.question_type in DEFINITIONS | COMPARISONS)


def _is_of_a_share(frame: Frame, item: Item) -> bool:
    """ "What was its dividend": mostly that of a share, unlike what it paid in dividends."""
    words = {word.text for word in frame.words}
    is_one = item.value == "dividend" and "dividend" in words and "dividends" not in words
    return is_one and frame.question_type == "what" and not words & {"payment", "payments"}


def _has_shared_figure(frame: Frame) -> bool:
    return bool(frame.metrics) and frame.metric_kinds <= _OF_COMPANIES


def _nothing(frame: Frame, index: int) -> None:
    del frame, index


def _document(frame: Frame, index: int) -> Part | None:
    if frame.is_on_balance_sheet(frame.items[index]):
        return None
    return Part("basis", f"document:{frame.items[index].value}")


def _soft(frame: Frame, index: int) -> Part:
    """Only beside a metric: "the main risks", "the revenue figure", but "value stocks"."""
    is_soft = frame.is_plain and len(frame.metrics) == 1 and not frame.metric_kinds & _NO_AMOUNTS
    text = frame.text(frame.items[index])
    if is_soft and text in ("value", "amount") and is_counted(frame.metrics[0], frame):
        # What was delivered has a number, and a value.
        is_soft = False
    if text == "number" and frame.metric_kinds & _NUMBERED:
        # A tax or a loan has a number as a thing has a name.
        is_soft = False
    if text == "amount" and any(item.slot == "directions" for item in frame.items):
        # Of a change, which is a percentage too
        is_soft = False
    return Part("soft" if is_soft else "residual", text)


def _question(frame: Frame, index: int) -> Part | None:
    """Only what the type of the question does not say."""
    item = frame.items[index]
    return Part("residual", f"question:{item.value}") if item in frame.asked[1] else None


def _connective(frame: Frame, index: int) -> Part | None:
    if frame.is_choice:
        return None
    after = frame.items[index + 1 : index + 2]
    if index and frame.items[index].value == "and" and after and after[0].slot == "question":
        # "Did it fall, and why?"
        return Part("residual", "and-also")
    return Part("residual", frame.items[index].value)


def _legal_form(frame: Frame, index: int) -> Part | None:
    """ "Apple Inc." is Apple; of an unknown name it may be the difference between two companies."""
    before = frame.items[index - 1]
    if frame.text(frame.items[index]) == "incorporated" and any(
        item.slot == "auxiliary" for item in frame.items[:index]
    ):
        # "Is Uber incorporated in Delaware"
        return word(frame, index)
    known = before.slot == "entities" and not before.value.startswith("name:")
    in_america = frame.text(frame.items[index]) in ("inc", "incorporated", "corp", "corporation", "co")
    if known and frame.items[index].value in ("ltd", "limited", "gmbh", "llc"):
        # Siemens Ltd is a company of Siemens.
        return Part("residual", f"legal-form:{frame.items[index].value}")
    return None if known and in_america else Part("soft", f"legal-form:{frame.items[index].value}")


def _synonym(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value == "company" and len(frame.companies) == 1 and not frame.is_ranking:
        before = frame.items[index - 1] if index else None
        is_one = frame.words[item.start].text == frame.words[item.start].base
        if is_one and before is not None and before.slot == "entities" and frame.metrics:
            return None
        if is_one and item.end - item.start == 1 and (before is None or before.slot != "question"):
            return Part("soft", item.value)
    if item.value in ("stock", "shares") and frame.is_plain and _is_of_stock(frame):
        return Part("soft", "stock")
    if item.value == "company" and frame.is_choice:
        return None
    if item.value == "shares" and index and frame.kind(frame.items[index - 1]) == "company":
        # "Buy Amazon shares", "buy Amazon stock"
        return Part("residual", "stock")
    if frame.is_modifier(index) and frame.words[item.start].text.endswith(("ing", "ed")):
        # Shipping costs are not the costs of ships.
        return word(frame, index)
    value = with_voice(frame, index)
    if item.value in _EVENT_NOUNS and frame.text(item) == _EVENT_NOUNS[item.value]:
        value = f"{item.value}:noun"
    written = frame.words[item.start]
    asked = [other.slot for other in frame.items[:index] if other.slot != "article"]
    is_head = asked[-1:] in (["question"], []) or value.endswith(":noun")
    several = is_head and written.text != written.base
    if several or is_one_of_the_largest(frame, index):
        # "Which banks" may have many answers, "which bank" has one.
        value = f"{value}:plural"
    return Part("residual", value)


def _unknown(frame: Frame, index: int) -> Part:
    """ "Vehicle production" is the production of vehicles, and counted things are several in any case."""
    if frame.question_type == "count" or (frame.is_plain and frame.is_modifier(index)):
        return Part("residual", frame.text(frame.items[index]))
    if is_one_of_the_largest(frame, index):
        return Part("residual", f"{frame.text(frame.items[index])}:plural")
    return word(frame, index)


def _idiom(frame: Frame, index: int) -> Part:
    """What a whole question says in whatever words (idioms.py): the words are not looked at again."""
    return Part("residual", frame.items[index].value)


def _is_of_stock(frame: Frame) -> bool:
    """Share prices and buybacks are those of the stock anyway; a stock dividend is no dividend in cash."""
    return frame.metric_kinds == {"market"} or {item.value for item in frame.metrics} == {"buybacks"}


def _auxiliary(frame: Frame, index: int) -> Part | None:
    """Tense and mood are slots of their own (tense.py). What is left: whether a verb is more than an auxiliary."""
    item = frame.items[index]
    if item.slot == "modal":
        return None
    before = [other for other in frame.items[:index] if other.slot in ("auxiliary", "modal")]
    if item.value == "do" and before and before[-1].value != "be":
        # "What does Visa do", unlike "what is Visa".
        return Part("residual", "do")
    if item.value in ("do", "did") and frame.is_indirect and not before and _is_last_verb(frame, index):
        # "Tell me what Visa does"
        return Part("residual", "do")
    if is_main_verb(frame, index):
        return Part("residual", "be")
    if item.value in ("have", "had") and not frame.has_plain_verb and not _helps(frame, index):
        return Part("residual", "have")
    return None


def _is_last_verb(frame: Frame, index: int) -> bool:
    after = {other.slot for other in frame.items[index + 1 :]}
    return frame.items[index - 1].slot == "entities" and after <= {"periods", "preposition"}


def _helps(frame: Frame, index: int) -> bool:
    """ "Has Apple acquired", unlike "has Apple a pension fund"."""
    for other in frame.items[index + 1 :]:
        if frame.is_participle(other):
            return True
        if (other.slot, other.value) == ("auxiliary", "be"):
            return True
    return False


_JUDGES: dict[str, Callable[[Frame, int], Part | None]] = {
    "article": article,
    "courtesy": _nothing,
    "auxiliary": _auxiliary,
    "modal": _auxiliary,
    "carrier": carrier,
    "imperative": carrier,
    "connective": _connective,
    "directions": direction,
    "documents": _document,
    "legal-form": _legal_form,
    "preposition": preposition,
    "pronoun": pronoun,
    "question": _question,
    "soft": _soft,
    "stop": _nothing,
    "synonyms": _synonym,
    "idiom": _idiom,
    "unknown": _unknown,
}
