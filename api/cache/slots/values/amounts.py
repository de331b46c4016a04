"""Numbers with what belongs to them: scale, share, currency, time. `$5.2bn` and "5.2 billion dollars" are one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from api.cache.slots.text.tokens import CURRENCY_SIGNS
from api.cache.slots.types import Token
from api.cache.slots.values.quantity_words import (
    CURRENCIES,
    ISO_CODES,
    NUMBER_WORDS,
    SCALES,
    SCALES_OF_MONEY,
    SHARES,
    TIMES,
    currency_at,
    share_at,
)

_DIGITS = r"\d[\d.,]*|\.\d+"
_ATTACHED_SCALES = {**SCALES, **SCALES_OF_MONEY}
_NUMBER = re.compile(
    rf"""
    (?P<sign>[+-])?
    (?P<currency>[a-z]{{0,3}}[{CURRENCY_SIGNS}])?
    (?P<number>{_DIGITS})
    (?:(?P<inner_share>%)?-(?P<inner_currency>[{CURRENCY_SIGNS}])?(?P<second>{_DIGITS}))?
    (?:(?:-(?=[a-z]{{4}}))?(?P<scale>{"|".join(sorted(_ATTACHED_SCALES, key=len, reverse=True))}))?
    (?P<share>%|pct|pps?|ppts?|bps?|x)?
    (?P<currency_after>[{CURRENCY_SIGNS}]|{"|".join(ISO_CODES)})?
    (?:-(?P<time>{"|".join(TIMES)}))?
    (?P<plus>\+)?
    """,
    re.VERBOSE,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_MAX_DIGITS = 40  # beyond that it is no quantity but a key, and arithmetic would round it


class Amount(NamedTuple):
    """Tokens up to `end` (exclusive) say `value`: `5`, `5%`, `5200000000 $`, `24 month`, `5..10%`."""

    end: int
    value: str
    counts: bool = False
    """A whole number and nothing else: it can count things."""
    understood: bool = True
    numbers: tuple[Decimal, ...] = ()
    """What it comes to, two for a range, and to what that is rounded at most."""
    step: Decimal = Decimal(1)
    unit: str = ""
    """`%`, `pp`, `bp`, `x`, a currency's code, a span of time, or nothing."""


class _Written(NamedTuple):
    """What one token, or the number words from it on, say."""

    end: int
    numbers: tuple[Decimal, ...]
    scaled: bool = False
    sign: str = ""
    share: str | None = None
    currency: str | None = None
    time: str | None = None
    at_least: bool = False
    step: Decimal = Decimal(1)


def amount_at(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> Amount | None:
    """The number that starts here, with everything that belongs to it. None where there is none."""
    if index >= len(tokens) or not free[index]:
        return None
    before = currency_at(tokens, index, free)
    start = before[0] if before else index
    if start >= len(tokens) or not free[start]:
        return None
    text = tokens[start].text
    if text in NUMBER_WORDS:
        written = None if before else _spelled_out(tokens, start, free)
    else:
        match = _NUMBER.fullmatch(text) if any(map(str.isdigit, text)) else None
        is_money = before is not None or currency_at(tokens, start + 1, free) is not None
        written = _in_digits(match, start, is_money=is_money) if match else None
        if match and written is None and "," in text:
            return Amount(start + 1, text, understood=False)
    if written is None:
        return None
    if before:
        if written.currency is not None:
            return None
        written = written._replace(currency=before[1])
    return _with_units(tokens, written, free)


def _in_digits(match: re.Match[str], index: int, *, is_money: bool) -> _Written | None:
    """None for what is a name in digits (1.2.3, a version), or a number that may be two things (5,2)."""
    symbol = match["currency"] or match["currency_after"]
    currency = CURRENCIES.get((symbol,)) if symbol else None
    numbers = [_number(text) for text in (match["number"], match["second"]) if text]
    if (symbol and currency is None) or None in numbers or _contradicts_itself(match):
        return None
    factor = _ATTACHED_SCALES[match["scale"]] if match["scale"] else 1
    if match["scale"] in SCALES_OF_MONEY and currency is None and not is_money:
        return None
    return _Written(
        index + 1,
        tuple(number * factor for number in numbers if number is not None),
        factor > 1,
        match["sign"] or "",
        SHARES.get((match["share"],)) if match["share"] else None,
        currency,
        TIMES[match["time"]] if match["time"] else None,
        bool(match["plus"]),
        Decimal(factor).scaleb(min(_exponent(number) for number in numbers if number is not None)),
    )


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _contradicts_itself(match: re.Match[str]) -> bool:
    """`$5-€10`, `5%-10`, `$5€`: no range of one kind."""
    return bool(
        (match["inner_share"] and match["share"] != "%")
        or (match["inner_currency"] and match["inner_currency"] != match["currency"])
        or (match["currency"] and match["currency_after"])
    )


def _number(text: str) -> Decimal | None:
    """1,234.5 and 1,00,000 are numbers; 1.234,5 may be one, but it is not said how it is meant."""
    if len(text) > _MAX_DIGITS:
        return None
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    return Decimal(text.replace(",", "")) if _GROUPED.fullmatch(text) else None


def _spelled_out(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> _Written:
    """ "two hundred and fifty million": each scale takes what came before it since the last larger one."""
    total = group = Decimal(0)
    last = 10**15
    position = index
    while position < len(tokens) and free[position]:
        text = tokens[position].text
        if text in NUMBER_WORDS and (position == index or _continues(tokens, position, group)):
            group += NUMBER_WORDS[text]
        elif text == "hundred" and 0 < group < 10:
            group *= 100
        elif text in SCALES and text != "hundred" and group and SCALES[text] < last:
            last = SCALES[text]
            total, group = total + group * last, Decimal(0)
        elif not (text == "and" and group >= 100 and group % 100 == 0 and _is_number_word(tokens, position + 1, free)):
            break
        position += 1
    return _Written(position, (total + group,), scaled=last < 10**15)


def _continues(tokens: Sequence[Token], position: int, group: Decimal) -> bool:
    """ "twenty five" is one number, "five six" are two."""
    number = NUMBER_WORDS[tokens[position].text]
    before = tokens[position - 1].text
    if before in SCALES or before == "and":
        return number < 100 and group % 100 == 0
    return before in NUMBER_WORDS and 20 <= NUMBER_WORDS[before] < 100 and group % 10 == 0 and 0 < number < 10


def _is_number_word(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> bool:
    return index < len(tokens) and free[index] and tokens[index].text in NUMBER_WORDS


def _with_units(tokens: Sequence[Token], written: _Written, free: Sequence[bool]) -> Amount:
    end, numbers, scaled, sign, share, currency, time, at_least, step = written
    if not (scaled or share or time) and end < len(tokens) and free[end]:
        factor = SCALES.get(tokens[end].text) or (SCALES_OF_MONEY.get(tokens[end].text) if currency else None)
        if factor:
            numbers, scaled, end, step = tuple(number * factor for number in numbers), True, end + 1, step * factor
    if not (share or currency or time) and (named := share_at(tokens, end, free)):
        end, share = named
    if not (share or currency or time) and (named := currency_at(tokens, end, free)):
        end, currency = named
    elif not (share or currency or time) and end < len(tokens) and free[end] and tokens[end].text in TIMES:
        time, end = TIMES[tokens[end].text], end + 1
    rounded = scaled or share is not None or currency is not None or time is not None
    value = "..".join(_text(number, rounded=rounded) for number in numbers)
    unit = share or (f" {currency}" if currency else f" {time}" if time else "")
    value = f"{'>=' if at_least else ''}{sign}{value}{unit}"
    signed = tuple(-number for number in numbers) if sign == "-" else numbers
    return Amount(end, value, value.isdigit(), numbers=signed, step=step, unit=share or currency or time or "")


def _text(number: Decimal, *, rounded: bool) -> str:
    """Without an exponent. 3.10 may be a version and is not 3.1; 5.0 is 5, and of money 3.10 is 3.1."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".") if rounded else text.removesuffix(".0")
    return text
