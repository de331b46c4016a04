"""What each item of a question about companies and figures contributes to its meaning.

The rule throughout: a word is left out only where a listed reason says that it can change nothing; otherwise it stays.
"""

from __future__ import annotations

from collections.abc import Callable

from api.cache.slots.carriers import carrier
from api.cache.slots.context import is_definition
from api.cache.slots.dated import period
from api.cache.slots.frame import MOVES, Frame
from api.cache.slots.items import NAME
from api.cache.slots.parts import Part, word
from api.cache.slots.prepositions import preposition
from api.cache.slots.pronouns import pronoun
from api.cache.slots.question_frame import COMPARISONS, DEFINITIONS

# Kinds of metric that a company and its best known brand share.
_OF_COMPANIES = frozenset({"flow", "expense", "ratio", "balance", "payment", "market"})
_SLOTS = frozenset({"entities", "metrics", "periods", "numbers", "units", "currencies", "basis", "negations", "top_n"})
# The amount of a risk is not the risk.
_NO_AMOUNTS = frozenset({"attribute", "person", "date", "place"})
# Directions whose subject matters: who was sold and who sold are two questions.
_WITH_SUBJECT = frozenset(
    {"buy", "sell", "beat", "miss", "meet", "upgrade", "downgrade", "lose", "exceed", "short", "underperform", "gain"}
)
# Events that a noun names too: who did it and to whom is told by "of" and "by" then (voice.py).
_EVENT_NOUNS = {"acquire": "acquisition", "appoint": "appointment", "launch-of": "launch", "purchase": "purchase"}
_DECIDED = {"dividend", "dividend-per-share", "buybacks"}
_ON_PURPOSE = {"raise": "up", "cut": "down"}
# The highest of two is the higher one, and a figure that is larger is higher.
_OF_TWO = {
    **dict.fromkeys(("higher", "larger", "more", "max", "most"), "more"),
    **dict.fromkeys(("lower", "smaller", "less", "fewer", "min", "least"), "less"),
}
_IN_WIDTH = {"expand": "up", "widen": "up", "narrow": "down"}
_HAS_WIDTH = ("margin", "spread", "loss", "deficit", "surplus")


def judge(frame: Frame, index: int) -> Part | None:
    """None: it adds nothing."""
    slot = frame.items[index].slot
    if slot in _SLOTS:
        return _slot(frame, index)
    return _JUDGES.get(slot, word)(frame, index)


def _slot(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    if item.slot == "periods":
        return period(frame, index)
    if item.slot == "metrics" and _asks_for_meaning(frame):
        # A turnover is more than sales, an order book more than a backlog.
        text = frame.text(item)
        return Part("metrics", item.value if text in frame.lexicon.concepts else f"term:{text}")
    if item.slot == "metrics" and frame.asks_for_one(item):
        return Part("metrics", f"{item.value}:one")
    if item.slot == "metrics" and item.value.startswith("largest-") and frame.text(item) != frame.raw_text(item):
        return Part("metrics", f"{item.value}:several")
    if item.slot == "metrics" and frame.asks_for_names(index):
        return Part("metrics", f"{item.value}:names")
    if item.slot == "metrics" and frame.asks_for_results_day:
        return Part("metrics", "earnings-date")
    if item.slot == "basis" and frame.question_type == "yes-no" and "each" in frame.raw_text(item).split():
        # Rising in each quarter is more than quarterly figures that rise
        return Part("basis", f"each-{item.value}")
    if item.slot == "entities" and frame.is_brand(item) and not _has_shared_figure(frame):
        return Part("entities", f"name:{frame.raw_text(item)}")
    if (item.slot, item.value) == ("basis", "expected") and frame.raw_text(item) != "expected":
        # What a company expects is not what it is expected to do, by others.
        return Part("basis", "expecting")
    place = frame.kind(item) if item.slot == "entities" else None
    return Part(item.slot, f"{place}:{item.value}" if place in ("geography", "segment") else item.value)


def _asks_for_meaning(frame: Frame) -> bool:
    """Of a figure as such, whoever has it."""
    return not frame.companies and (is_definition(frame) or frame.question_type in DEFINITIONS | COMPARISONS)


def _has_shared_figure(frame: Frame) -> bool:
    return bool(frame.metrics) and frame.metric_kinds <= _OF_COMPANIES


def _article(frame: Frame, index: int) -> Part | None:
    """An apple is not Apple, and the Amazon not Amazon, unless figures are asked for."""
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    item = frame.items[index]
    if index and frame.words[item.start].raw == "A" and any(word.raw.islower() for word in frame.words):
        # A rating, a class of shares
        return Part("residual", "A")
    if item.value == "article" and after is not None and frame.kind(after) == "company":
        return word(frame, index)
    if not frame.is_plain and after is not None and frame.kind(after) == "company":
        is_unknown = after.value.startswith(NAME)
        return None if item.value == "the" and is_unknown else word(frame, index)
    return None


def _nothing(frame: Frame, index: int) -> None:
    del frame, index


def _document(frame: Frame, index: int) -> Part | None:
    if frame.is_on_balance_sheet(frame.items[index]):
        return None
    return Part("basis", f"document:{frame.items[index].value}")


def _soft(frame: Frame, index: int) -> Part:
    """Only beside a metric: "the main risks", "the revenue figure", but "value stocks"."""
    is_soft = frame.is_plain and len(frame.metrics) == 1 and not frame.metric_kinds & _NO_AMOUNTS
    return Part("soft" if is_soft else "residual", frame.text(frame.items[index]))


def _direction(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    if frame.is_of_size(item):
        return Part("directions", f"size:{item.value}")
    if frame.is_choice and item.value in _OF_TWO:
        grows = any(other.slot == "directions" and other.value in MOVES for other in frame.items)
        return Part("directions", item.value if grows else _OF_TWO[item.value])
    if item.value in ("most", "least"):
        # "The most revenue" is the highest one; "most banks" are many.
        is_superlative = index > 0 and frame.items[index - 1].value == "the"
        return Part("directions", {"most": "max", "least": "min"}[item.value] if is_superlative else item.value)
    if _is_autumn(frame, index):
        return Part("residual", "autumn")
    if item.value in _ON_PURPOSE and frame.is_plain and _moves_by_decision(frame):
        return Part("directions", _ON_PURPOSE[item.value])
    if item.value in _IN_WIDTH and frame.is_plain and all(other.value.endswith(_HAS_WIDTH) for other in frame.metrics):
        return Part("directions", _IN_WIDTH[item.value])
    if item.value == "expand" and "count" in frame.metric_kinds and frame.kind(frame.items[index - 1]) == "company":
        # Larger stores are not more of them.
        return Part("directions", "enlarge")
    if item.value == "lower" and _is_lowering(frame, index):
        return Part("directions", "cut")
    return Part("directions", _with_voice(frame, index) if item.value in _WITH_SUBJECT else item.value)


def _is_lowering(frame: Frame, index: int) -> bool:
    """ "Did Nike lower its prices", unlike "did Nike have lower prices" and "is Nike lower"."""
    before, after = frame.items[index - 1] if index else None, frame.items[index + 1 : index + 2]
    is_verb = before is not None and (frame.kind(before) == "company" or before.value == "to")
    helped = any(item.value in ("do", "did", "will", "to") for item in frame.items[:index])
    has_object = any(item.slot in ("pronoun", "article", "metrics", "basis") for item in after)
    return is_verb and helped and has_object and all(item.value != "than" for item in frame.items)


def _is_autumn(frame: Frame, index: int) -> bool:
    """ "In the fall of 2023"."""
    after = [item for item in frame.items[index + 1 : index + 3] if item.value != "of"]
    return (
        frame.text(frame.items[index]) == "fall"
        and bool(after)
        and after[0].slot == "periods"
        and index > 0
        and frame.items[index - 1].slot == "article"
    )


def _moves_by_decision(frame: Frame) -> bool:
    """A dividend or an outlook rises when the company raises it."""
    outlook = any(item.slot == "basis" and item.value == "guidance" for item in frame.items)
    return bool(frame.companies) and (outlook or {item.value for item in frame.metrics} <= _DECIDED)


def _question(frame: Frame, index: int) -> Part | None:
    """Only what the type of the question does not say."""
    item = frame.items[index]
    return Part("residual", f"question:{item.value}") if item in frame.asked[1] else None


def _connective(frame: Frame, index: int) -> Part | None:
    if frame.is_choice:
        return None
    return Part("residual", frame.items[index].value)


def _with_voice(frame: Frame, index: int) -> str:
    value = frame.items[index].value
    if frame.is_state(index):
        return f"{value}:state"
    return f"{value}:passive" if frame.is_passive(index) else value


def _legal_form(frame: Frame, index: int) -> Part | None:
    """ "Apple Inc." is Apple; of an unknown name it may be the difference between two companies."""
    before = frame.items[index - 1]
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
    value = _with_voice(frame, index)
    if item.value in _EVENT_NOUNS and frame.text(item) == _EVENT_NOUNS[item.value]:
        value = f"{item.value}:noun"
    written = frame.words[item.start]
    asked = [other.slot for other in frame.items[:index] if other.slot != "article"]
    if asked[-1:] in (["question"], []) and written.text != written.base:
        # "Which banks" may have many answers, "which bank" has one.
        value = f"{value}:plural"
    return Part("residual", value)


def _unknown(frame: Frame, index: int) -> Part:
    """ "Vehicle production" is the production of vehicles, and counted things are several in any case."""
    if frame.question_type == "count" or (frame.is_plain and frame.is_modifier(index)):
        return Part("residual", frame.text(frame.items[index]))
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
    "article": _article,
    "courtesy": _nothing,
    "auxiliary": _auxiliary,
    "modal": _auxiliary,
    "carrier": carrier,
    "imperative": carrier,
    "connective": _connective,
    "directions": _direction,
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
