"""Figures whose name stands in two places: what it pays per share in dividends is its dividend per share.

Works on the items of a question before anything is decided about the whole. Only where it has no other figure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from api.cache.slots.words.items import UNKNOWN, Item

_PER_SHARE = {
    ("dividend", "per-share"): "dividend-per-share",
    ("earnings", "per-share"): "eps",
    ("profit", "per-share"): "eps",
    ("net-income", "per-share"): "eps",
    ("earnings", "per-diluted-share"): "diluted-eps",
    ("profit", "per-diluted-share"): "diluted-eps",
    ("net-income", "per-diluted-share"): "diluted-eps",
    ("revenue", "per-share"): "sales-per-share",
    ("book-value", "per-share"): "book-value-per-share",
    ("tangible-book-value", "per-share"): "tangible-book-value-per-share",
    ("cash-flow", "per-share"): "cash-flow-per-share",
    ("free-cash-flow", "per-share"): "free-cash-flow-per-share",
    ("funds-from-operations", "per-share"): "ffo-per-share",
    ("adjusted-funds-from-operations", "per-share"): "affo-per-share",
}
_MULTIPLES = ("pe", "forward-pe", "trailing-pe", "price-to-", "ev-to-", "peg")
_SHARES = frozenset({"stock", "shares"})
_PREMISES = frozenset(
    """
    store-count plant factory branch office restaurant location mine mill refinery warehouse smelter site hotel theater
    plants factories branches offices restaurants locations mines mills refineries warehouses smelters sites hotels
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
_OWNER = frozenset({"auxiliary", "article", "entities", "preposition", "pronoun"})
_END = frozenset({"periods", "preposition", "basis"})
_REPORTED = re.compile(r"(?:Q[1-4]|H[12]|FY)-?.*")


def with_compounds(items: Sequence[Item]) -> list[Item]:
    """With each such figure as one item, in the place of the first of its names."""
    found = list(items)
    for compound in _COMPOUNDS:
        found = compound(found)
    return found


def _per_share(items: list[Item]) -> list[Item]:
    figures = [item for item in items if item.slot == "metrics"]
    per_share = [item for item in items if item.slot == "basis" and item.value.startswith("per-")]
    if len(figures) != 1 or len(per_share) != 1:
        return items
    value = _PER_SHARE.get((figures[0].value, per_share[0].value))
    return items if value is None else _joined(items, figures[0], per_share[0], value)


def _share_price(items: list[Item]) -> list[Item]:
    """ "The price of Apple stock": of the stock and nothing else that is said of it, options or splits."""
    figures = [item for item in items if item.slot == "metrics"]
    if [item.value for item in figures] != ["price"] or any(item.slot == UNKNOWN for item in items):
        return items
    stock = [index for index, item in enumerate(items) if _is_stock(item)]
    if len(stock) != 1 or not stock[0] or any(item.slot == "directions" for item in items):
        return items
    before = items[stock[0] - 1]
    if before.slot == "entities" or before.value == "of":
        return _joined(items, figures[0], items[stock[0]], "share-price")
    return items


def _dividend_yield(items: list[Item]) -> list[Item]:
    """ "The yield on Ford's dividend"."""
    figures = [item for item in items if item.slot == "metrics"]
    if [item.value for item in figures] != ["yield", "dividend"]:
        return items
    between = items[items.index(figures[0]) + 1 : items.index(figures[1])]
    if not between or between[0].value not in ("on", "of") or any(item.slot not in _OWNER for item in between):
        return items
    return _joined([item for item in items if item is not between[0]], figures[0], figures[1], "dividend-yield")


def _multiple(items: list[Item]) -> list[Item]:
    """ "What P/E does AMD trade at", "at what P/E is AMD trading"; and "what does AMD trade at" is its share price."""
    figures = [item.value for item in items if item.slot == "metrics"]
    trades = [item for item in items if item.value in ("trading-at", "trade")]
    if len(trades) != 1 or len(figures) - ("trading-at" in figures) > 1:
        return items
    multiple = [item for item in items if item.slot == "metrics" and item.value.startswith(_MULTIPLES)]
    if multiple and (trades[0].value == "trading-at" or (items[0].slot, items[0].value) == ("preposition", "at")):
        kept = [item for item in items if item is not trades[0] and item.slot != "auxiliary"]
        said = next((item for item in items if item.slot == "auxiliary"), None)
        kept = kept[1:] if kept[0].value == "at" else kept
        tense = [] if said is None else [said._replace(value="was" if said.value in ("was", "did") else "is")]
        return [*kept[:1], *tense, *kept[1:]]
    if trades[0].value == "trading-at":
        return [item._replace(value="share-price") if item is trades[0] else item for item in items]
    return items


def _advertising(items: list[Item]) -> list[Item]:
    """ "How much did it spend on advertising": elsewhere advertising is what others pay it for."""
    for index in range(2, len(items)):
        spend, on, what = items[index - 2 : index + 1]
        is_what = (what.slot, what.value) == ("entities", "advertising") and on.value == "on"
        if (
            is_what
            and (spend.slot, spend.value) == ("carrier", "expense")
            and not any(item.slot == "metrics" for item in items)
        ):
            figure = what._replace(slot="metrics", value="advertising-expense")
            return [figure if item is what else item for item in items]
    return items


def _verb_of_price(items: list[Item]) -> list[Item]:
    """ "How much does Netflix cost" asks for its price, "what are Netflix's costs" for what it spends."""
    helped = any((item.slot, item.value) in (("auxiliary", "do"), ("auxiliary", "did")) for item in items)
    for index, item in enumerate(items):
        is_one = (item.slot, item.value) == ("metrics", "costs") and item.end - item.start == 1
        ends = all(other.slot in _END for other in items[index + 1 :])
        before = (
            items[index - 2 : index] if index > 1 and items[index - 1].slot == "metrics" else items[index - 1 : index]
        )
        if is_one and helped and ends and before and before[0].slot == "entities":
            return [*items[:index], item._replace(slot="synonyms", value="be-for-sale-at"), *items[index + 1 :]]
    return items


def _shutting(items: list[Item]) -> list[Item]:
    """A plant is closed or shut down; a deal is closed only."""
    if not any(item.value in _PREMISES for item in items):
        return items
    return [item._replace(value="shut") if (item.slot, item.value) == ("synonyms", "close") else item for item in items]


def _shares_outstanding(items: list[Item]) -> list[Item]:
    """ "How many shares does Ford have outstanding", "how many shares of Ford are outstanding"."""
    at = next((index for index, item in enumerate(items) if _is_outstanding(items, index)), None)
    if at is None or any(item.slot == "metrics" for item in items):
        return items
    start = next((index for index in range(at - 1, -1, -1) if not _is_said_of_shares(items[index])), -1)
    if start < 0 or (items[start].slot, items[start].value) != ("synonyms", "shares"):
        return items
    return _joined(items, items[start], items[at], "shares-outstanding")


def _earnings_call(items: list[Item]) -> list[Item]:
    """ "Its Q2 2023 call", unlike its calls on the Treasury."""
    for index, item in enumerate(items[1:], 1):
        before, after = items[index - 1], items[index + 1 : index + 2]
        is_call = (item.slot, item.value) == (UNKNOWN, "call") and before.slot == "periods"
        if is_call and _REPORTED.fullmatch(before.value) and all(other.slot in _END for other in after):
            return [*items[:index], item._replace(slot="metrics", value="earnings-call"), *items[index + 1 :]]
    return items


def _is_stock(item: Item) -> bool:
    return item.slot == "synonyms" and item.value in _SHARES


def _is_outstanding(items: Sequence[Item], index: int) -> bool:
    ends = index + 1 == len(items) or items[index + 1].slot in _END
    return ends and (items[index].slot, items[index].value) == (UNKNOWN, "outstanding")


def _is_said_of_shares(item: Item) -> bool:
    return item.slot in _OWNER or (item.slot, item.value) == ("carrier", "have")


def _joined(items: Sequence[Item], one: Item, other: Item, value: str) -> list[Item]:
    """With `other` left out, and `one` the figure `value`."""
    figure = one._replace(slot="metrics", value=value)
    return [figure if item is one else item for item in items if item is not other]


_COMPOUNDS: tuple[Callable[[list[Item]], list[Item]], ...] = (
    _per_share,
    _share_price,
    _dividend_yield,
    _multiple,
    _advertising,
    _verb_of_price,
    _shutting,
    _shares_outstanding,
    _earnings_call,
)
