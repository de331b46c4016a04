"""How something moved, with the move as a verb or as a noun: how much fees fell is the drop in fees.

What the lexicon knows as a figure needs no such reading, because its slots have no order. This is for what it does not
know: advisory fees, sales of a product, volumes.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.question.question_frame import AMOUNTS
from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Lexicon, Word

_MOVES = frozenset({"up", "down", "change", "surge", "plunge", "expand", "contract", "improve", "worsen", "recover"})
_BY_NUMBERS = frozenset({"up", "down", "surge", "plunge"})
_ASKED = frozenset({"how-much", "how-fast", "what", "how"})
_AUXILIARIES = frozenset({"do", "did"})
_SUBJECT = frozenset({"article", "entities", "unknown", "synonyms", "metrics", "basis", "soft"})
_THINGS = frozenset({"unknown", "synonyms", "metrics"})
_AFTER = frozenset({"periods", "preposition", "basis", "numbers", "units"})
_OF = frozenset({"in", "of"})
_GROWTH = frozenset({"grow", "grew", "growing", "growth", "rate of growth", "growth rate"})
# What may stand between "the" and the move.
_BEFORE = frozenset({"article", "basis", "soft"})


def with_moves(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    """Who or what moved first, then the move, in a question for how much it was; else the items as they are."""
    asked = [item for item in items if item.slot == "question"]
    if asked and items.index(asked[0]) and items[items.index(asked[0]) - 1].slot == "preposition":
        # "To how much"
        return list(items)
    moves = [index for index, item in enumerate(items) if item.slot == "directions"]
    if len(moves) != 1 or items[moves[0]].value not in _MOVES or len(asked) > 1:
        return list(items)
    if any(item.slot in ("negations", "modal", "connective", "question") for item in items if item not in asked[:1]):
        return list(items)
    if asked and (asked[0].value not in _ASKED or items.index(asked[0]) > moves[0]):
        return list(items)
    is_what = not asked or asked[0].value == "what"
    word = words[items[moves[0]].start]
    if is_what and word.text != word.base:
        # "The changes in the index" are those that were made.
        return list(items)
    found = _as_noun(items, moves[0]) if is_what else _as_verb(items, moves[0])
    if found is None:
        return list(items)
    subject, others = found
    move = items[moves[0]]
    if not _may_move_so(subject, move, words, lexicon):
        return list(items)
    auxiliary = [item for item in items[: moves[0]] if item.slot == "auxiliary"]
    first, *described = [_single(item, words) for item in subject if item.slot != "article"]
    return [first, *auxiliary, *described, move, *others]


def _as_noun(items: Sequence[Item], at: int) -> tuple[list[Item], list[Item]] | None:
    """ "What was the yearly drop in its fees in 2023": whose, and the rest."""
    after = items[at + 1 :]
    if not after or (after[0].slot, after[0].value) not in {("preposition", word) for word in _OF}:
        return None
    start = at
    while start and items[start - 1].slot in _BEFORE:
        start -= 1
    asked = [item.slot for item in items[:start] if item.slot not in ("periods", "preposition")]
    if asked not in ([], ["question", "auxiliary"]) or (start == at and start > 0):
        return None
    end = 1
    while end < len(after) and after[end].slot in _SUBJECT:
        end += 1
    described = [item for item in items[start:at] if item.slot == "basis"]
    return list(after[1:end]), [*after[end:], *_periods_before(items, start), *described]


def _as_verb(items: Sequence[Item], at: int) -> tuple[list[Item], list[Item]] | None:
    """ "How much did its fees drop in 2023": whose, and the rest."""
    start = next((index for index, item in enumerate(items) if item.slot == "auxiliary"), None)
    if start is None or items[start].value not in _AUXILIARIES:
        return None
    asked = [item for item in items[:start] if item.slot not in ("periods", "preposition")]
    if [item.slot for item in asked] != ["question"] or (asked[0].value == "how" and items[at].value != "change"):
        return None
    subject, after = items[start + 1 : at], list(items[at + 1 :])
    if any(item.slot not in _SUBJECT for item in subject) or (after and after[0].slot not in _AFTER):
        return None
    return list(subject), [*after, *_periods_before(items, start)]


def _periods_before(items: Sequence[Item], end: int) -> list[Item]:
    return [item for item in items[:end] if item.slot == "periods"]


def _may_move_so(subject: Sequence[Item], move: Item, words: Sequence[Word], lexicon: Lexicon) -> bool:
    """Somebody's figure; of a company alone only its growth, because what rises may be its shares."""
    names = [item for item in subject if item.slot == "entities"]
    if not names:
        return False
    kinds = {lexicon.metric_kinds.get(item.value, "flow") for item in subject if item.slot == "metrics"}
    if not kinds <= AMOUNTS or (not kinds and move.value not in _BY_NUMBERS):
        # A strategy changes, and does so by no amount.
        return False
    is_index = any(lexicon.entity_kinds.get(item.value) == "index" for item in names)
    text = " ".join(word.text for word in words[move.start : move.end])
    return is_index or text in _GROWTH or any(item.slot in _THINGS for item in subject)


def _single(item: Item, words: Sequence[Word]) -> Item:
    """The growth of fees is fee growth."""
    word = words[item.start]
    if item.slot != "unknown" or word.text == word.base or item.end - item.start > 1:
        return item
    return item._replace(slot="synonyms", value=word.base)
