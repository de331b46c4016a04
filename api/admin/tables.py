"""Tables of what the admin API answers. Names are shown without what a terminal would obey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from serving.tools.text_table import text_table

MISSING = "-"


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], *, nothing: str) -> str:
    """`columns`: title -> field. `nothing`: what is said where there are no rows."""
    if not rows:
        return nothing
    cells = [[shown(row.get(field)) for field in columns.values()] for row in rows]
    return text_table(list(columns), cells, indent="")


def with_more(text: str, option: str, following: Any, *, what: str = "more") -> str:
    """A page's text, and how to ask for the next one; `following`: from where on, None where that was the last."""
    return text if following is None else f"{text}\n\nThere are {what}: {option} {following}"


def shown(value: Any) -> str:
    match value:
        case None | "":
            return MISSING
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case _:
            return "".join(character if character.isprintable() else "?" for character in str(value))


def dollars(amount: str | None) -> str:
    """`"12.500000000"` is `12.50`: cents at the least, and all there is below them."""
    if amount is None:
        return MISSING
    whole, _, decimals = f"{Decimal(amount):,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"
