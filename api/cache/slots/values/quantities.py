"""The numbers of a question, in one spelling each, and the units and currencies it asks for.

    numbers     5   5%   25bp   2pp   3x   5200000000 $   1000000 EUR   24 month   ord-3
                >5%   >=5   <100   ~5   5..10%            the comparison is part of the value
    units       million   thousand   %   bp               in which the answer is asked for
    currencies  USD   EUR   $                             `$` and "dollars" do not say whose
    top_n       top-5   first-3   lowest-10   top-ord-3   the five largest, the third largest

"largest", "biggest", "greatest" and "top" are one. Every other word that ranks is a value of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from api.cache.slots.types import Span, Token
from api.cache.slots.values.amounts import Amount, amount_at
from api.cache.slots.values.quantity_words import (
    CURRENCIES_BY_WORD,
    NUMBER_WORDS,
    SHARES_BY_WORD,
    by_first_word,
    currency_at,
    phrase_at,
    share_at,
)

_RANKS = {
    **dict.fromkeys(("top", "largest", "biggest", "greatest"), "top"),
    **{
        word: word
        for word in (
            *("smallest", "highest", "lowest", "best", "worst", "bottom", "leading", "fewest", "most", "least"),
            *("fastest", "slowest", "cheapest", "richest", "newest", "oldest", "longest", "shortest"),
        )
    },
}
_ENDS = {"first": "first", "last": "last"}
_ORDINALS = {
    word: number
    for number, word in enumerate(
        (
            *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
            *("eleventh", "twelfth"),
        ),
        start=1,
    )
}
_TOO_LONG = 7  # digits of a place or a count; Python refuses to read 4,301
_SUFFIXES = ("st", "nd", "rd", "th")

_COMPARISONS = by_first_word(
    {
        **dict.fromkeys((("more", "than"), ("greater", "than"), ("higher", "than"), ("larger", "than")), ">"),
        **dict.fromkeys((("over",), ("above",), ("exceeding",), ("exceeds",), ("exceed",), (">",)), ">"),
        **dict.fromkeys((("at", "least"), ("no", "less", "than"), ("not", "less", "than"), (">=",), ("≥",)), ">="),
        **dict.fromkeys((("no", "fewer", "than"), ("minimum", "of"), ("a", "minimum", "of")), ">="),
        **dict.fromkeys((("less", "than"), ("fewer", "than"), ("lower", "than"), ("smaller", "than")), "<"),
        **dict.fromkeys((("below",), ("under",), ("<",)), "<"),
        **dict.fromkeys((("at", "most"), ("no", "more", "than"), ("not", "more", "than"), ("<=",), ("≤",)), "<="),
        **dict.fromkeys((("up", "to"), ("maximum", "of"), ("a", "maximum", "of")), "<="),
        **dict.fromkeys((("exactly",), ("=",), ("equal", "to")), "="),
        **dict.fromkeys((("about",), ("around",), ("approximately",), ("roughly",), ("nearly",), ("~",), ("≈",)), "~"),
    }
)
_AFTER = by_first_word(
    {
        **dict.fromkeys((("or", "more"), ("or", "higher"), ("or", "above"), ("and", "above"), ("or", "greater")), ">="),
        **dict.fromkeys((("or", "less"), ("or", "lower"), ("or", "below"), ("and", "below"), ("or", "fewer")), "<="),
    }
)
_ASKED_UNITS = {
    **dict.fromkeys(("thousands",), "thousand"),
    **dict.fromkeys(("millions", "mm", "mn", "mln"), "million"),
    **dict.fromkeys(("billions", "bn", "bln"), "billion"),
    **dict.fromkeys(("trillions", "tn", "trn"), "trillion"),
    **dict.fromkeys(("crores",), "crore"),
    **dict.fromkeys(("lakhs",), "lakh"),
    **dict.fromkeys(("percentage",), "%"),
}
_NEVER_UNITS = frozenset({"x", "times", "fold"})  # "how many times"
# Of plain words, only these can start anything here: most words of a question are passed over at once.
_STARTS = frozenset().union(
    _RANKS, _ENDS, _ORDINALS, _COMPARISONS, _ASKED_UNITS, NUMBER_WORDS, CURRENCIES_BY_WORD, SHARES_BY_WORD
)


class QuantityFindings(NamedTuple):
    spans: tuple[Span, ...]
    """Slots `numbers`, `units`, `currencies` and `top_n`, in the order of mention; none overlaps another."""
    problems: tuple[str, ...]


def find_quantities(tokens: Sequence[Token], taken: Collection[int]) -> QuantityFindings:
    """`taken`: indexes of tokens that other slots have, such as a year or the number in a name.

    A number that is not understood stays a word: its digits are in no span, and not lost.
    """
    free = [index not in taken for index in range(len(tokens))]
    spans: list[Span] = []
    problems: list[str] = []
    index = 0
    while index < len(tokens):
        text = tokens[index].text
        if not free[index] or (text not in _STARTS and text.isalpha()):
            index += 1
            continue
        span = _span_at(tokens, index, free)
        if span is None:
            amount = amount_at(tokens, index, free)
            if amount is not None and not amount.understood:
                problems.append(f"number not understood: {amount.value}")
            index += 1
            continue
        spans.append(span)
        index = span.end
    if sum(span.slot == "top_n" for span in spans) > 1:
        problems.append("more than one ranking")
    return QuantityFindings(tuple(_currencies_in_order(spans)), tuple(problems))


def _span_at(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Span | None:
    return (
        _ranking(tokens, index, free)
        or _compared(tokens, index, free)
        or _ordinal(tokens, index, free)
        or _asked_for(tokens, index, free)
    )


def _ranking(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Span | None:
    """ "top 5", "top-5", "five largest", "first three", "third largest"."""
    text = tokens[index].text
    word, dash, joined = text.partition("-")
    if dash and word in _RANKS and joined.isascii() and joined.isdigit() and len(joined) < _TOO_LONG:
        return Span(index, index + 1, "top_n", f"{_RANKS[word]}-{int(joined)}")
    following = tokens[index + 1].text if index + 1 < len(tokens) and free[index + 1] else ""
    if text in _RANKS or text in _ENDS:
        amount = amount_at(tokens, index + 1, free)
        if amount is not None and amount.counts:
            return Span(index, amount.end, "top_n", f"{_RANKS.get(text) or _ENDS[text]}-{amount.value}")
    if following in _RANKS and (place := _place(text)):
        return Span(index, index + 2, "top_n", f"{_RANKS[following]}-ord-{place}")
    if dash and joined in _RANKS and (place := _place(word)):
        return Span(index, index + 1, "top_n", f"{_RANKS[joined]}-ord-{place}")
    amount = amount_at(tokens, index, free)
    if amount is None or not amount.counts or amount.end >= len(tokens) or not free[amount.end]:
        return None
    rank = _RANKS.get(tokens[amount.end].text)
    return Span(index, amount.end + 1, "top_n", f"{rank}-{amount.value}") if rank else None


def _place(text: str) -> int | None:
    if text in _ORDINALS:
        return _ORDINALS[text]
    number = text[:-2]
    is_place = text[-2:] in _SUFFIXES and number.isascii() and number.isdigit() and len(number) < _TOO_LONG
    return int(number) if is_place else None


def _compared(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Span | None:
    """A number, with the comparison before or after it, or the range that it starts."""
    comparison = phrase_at(_COMPARISONS, tokens, index, free)
    amount = amount_at(tokens, comparison[0] if comparison else index, free)
    if amount is None or not amount.understood:
        return None
    if comparison is None:
        if (after := phrase_at(_AFTER, tokens, amount.end, free)) is not None:
            return Span(index, after[0], "numbers", f"{after[1]}{amount.value}")
        if (other := _second_of_range(tokens, index, amount, free)) is not None:
            return Span(index, other.end, "numbers", f"{amount.value}..{other.value}")
    return Span(index, amount.end, "numbers", f"{comparison[1] if comparison else ''}{amount.value}")


def _second_of_range(tokens: Sequence[Token], index: int, first: Amount, free: Sequence[bool]) -> Amount | None:
    joint = tokens[first.end].text if first.end < len(tokens) and free[first.end] else ""
    between = index > 0 and tokens[index - 1].text == "between"
    if joint not in ("to", "-") and not (joint == "and" and between):
        return None
    second = amount_at(tokens, first.end + 1, free)
    return second if second is not None and second.understood else None


def _ordinal(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Span | None:
    text = tokens[index].text
    place = _place(text)
    if place is None or (text == "second" and index and tokens[index - 1].text in ("per", "a", "every", "each")):
        return None
    return Span(index, index + 1, "numbers", f"ord-{place}") if free[index] else None


def _asked_for(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Span | None:
    """Units and currencies without a number."""
    if (currency := currency_at(tokens, index, free)) is not None:
        return Span(index, currency[0], "currencies", currency[1])
    text = tokens[index].text
    if text not in _NEVER_UNITS and (share := share_at(tokens, index, free)) is not None:
        return Span(index, share[0], "units", share[1])
    return Span(index, index + 1, "units", _ASKED_UNITS[text]) if text in _ASKED_UNITS else None


def _currencies_in_order(spans: Sequence[Span]) -> list[Span]:
    """ "from dollars to euros" is not "from euros to dollars", though both name the same two."""
    ordered: list[Span] = []
    before = ""
    for span in spans:
        if span.slot == "currencies":
            ordered.append(span._replace(value=f"{before}>{span.value}" if before else span.value))
            before = span.value
        else:
            ordered.append(span)
    return ordered
