"""The words of quantities: numbers, scales, shares, currencies, spans of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.cache.slots.types import Token

_Phrases = dict[str, list[tuple[tuple[str, ...], str]]]

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS: dict[str, int] = {
    **{word: number for number, word in enumerate(_ONES)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
    **{
        f"{ten}-{one}": 10 * tens + ones
        for tens, ten in enumerate(_TENS, start=2)
        for ones, one in enumerate(_ONES[1:10], start=1)
    },
    "dozen": 12,
}
SCALES: dict[str, int] = {
    **dict.fromkeys(("hundred",), 10**2),
    **dict.fromkeys(("thousand", "k"), 10**3),
    **dict.fromkeys(("lakh", "lac"), 10**5),
    **dict.fromkeys(("million", "mn", "mln", "mio", "mm"), 10**6),
    **dict.fromkeys(("crore",), 10**7),
    **dict.fromkeys(("billion", "bn", "bln"), 10**9),
    **dict.fromkeys(("trillion", "tn", "trn"), 10**12),
}
# Of money they are scales; of anything else they may be metres, minutes or tonnes and keep their own spelling.
SCALES_OF_MONEY = {"m": 10**6, "b": 10**9, "t": 10**12}
TIMES = {
    **{unit: unit for unit in ("day", "week", "month", "quarter", "year", "hour", "minute", "decade")},
    **{f"{unit}s": unit for unit in ("day", "week", "month", "quarter", "year", "hour", "minute", "second", "decade")},
}
SHARES: dict[tuple[str, ...], str] = {
    **dict.fromkeys((("%",), ("percent",), ("pct",), ("per", "cent")), "%"),
    **dict.fromkeys((("percentage", "points"), ("percentage", "point"), ("%", "points")), "pp"),
    **dict.fromkeys((("percentage-points",), ("percentage-point",), ("pp",), ("ppt",), ("ppts",), ("pps",)), "pp"),
    **dict.fromkeys((("basis", "points"), ("basis", "point"), ("basis-points",), ("basis-point",)), "bp"),
    **dict.fromkeys((("bps",), ("bp",)), "bp"),
    **dict.fromkeys((("x",), ("times",), ("fold",)), "x"),
}
ISO_CODES = (
    *("usd", "eur", "gbp", "jpy", "cny", "chf", "cad", "aud", "nzd", "hkd", "sgd", "inr", "krw", "brl", "mxn", "sek"),
    *("nok", "dkk", "zar", "pln", "twd", "thb", "idr", "myr", "ils", "aed", "sar", "czk", "huf", "btc"),
)
_DOLLARS = {"canadian": "CAD", "australian": "AUD", "singapore": "SGD", "taiwan": "TWD", "us": "USD", "u.s": "USD"}
CURRENCIES: dict[tuple[str, ...], str] = {
    **{(code,): code.upper() for code in ISO_CODES},
    **{(f"{prefix}$",): f"{prefix.upper()}D" for prefix in ("us", "ca", "au", "nz", "hk")},
    ("c$",): "CAD",
    ("a$",): "AUD",
    ("s$",): "SGD",
    ("nt$",): "TWD",
    ("r$",): "BRL",
    ("rmb",): "CNY",
    ("€",): "EUR",
    ("£",): "GBP",
    ("₹",): "INR",
    ("₩",): "KRW",
    ("₽",): "RUB",
    ("₺",): "TRY",
    ("₿",): "BTC",
    ("¥",): "¥",
    ("$",): "$",
    ("dollar",): "$",
    ("dollars",): "$",
    ("pound",): "pound",
    ("pounds",): "pound",
    ("euro",): "EUR",
    ("euros",): "EUR",
    ("yen",): "JPY",
    ("sterling",): "GBP",
    ("pounds", "sterling"): "GBP",
    ("pound", "sterling"): "GBP",
    ("yuan",): "CNY",
    ("renminbi",): "CNY",
    ("bitcoin",): "BTC",
    ("rupee",): "rupee",
    ("rupees",): "rupee",
    ("franc",): "franc",
    ("francs",): "franc",
    **{(origin, noun): code for origin, code in _DOLLARS.items() for noun in ("dollar", "dollars")},
    **{("hong", "kong", noun): "HKD" for noun in ("dollar", "dollars")},
    **{("new", "zealand", noun): "NZD" for noun in ("dollar", "dollars")},
    **{("american", noun): "USD" for noun in ("dollar", "dollars")},
    **{("british", noun): "GBP" for noun in ("pound", "pounds")},
    **{("swiss", noun): "CHF" for noun in ("franc", "francs")},
    **{("indian", noun): "INR" for noun in ("rupee", "rupees")},
    ("japanese", "yen"): "JPY",
    ("chinese", "yuan"): "CNY",
    ("korean", "won"): "KRW",
    ("brazilian", "real"): "BRL",
    **{("mexican", noun): "MXN" for noun in ("peso", "pesos")},
}


def by_first_word(phrases: Mapping[tuple[str, ...], str]) -> _Phrases:
    """Longest first."""
    found: _Phrases = {}
    for words in sorted(phrases, key=len, reverse=True):
        found.setdefault(words[0], []).append((words, phrases[words]))
    return found


CURRENCIES_BY_WORD = by_first_word(CURRENCIES)
SHARES_BY_WORD = by_first_word(SHARES)


def currency_at(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> tuple[int, str] | None:
    """End and code of the currency that is named here. `$`, `¥`, `pound`, `rupee`, `franc`: it is not said whose."""
    return phrase_at(CURRENCIES_BY_WORD, tokens, index, free)


def share_at(tokens: Sequence[Token], index: int, free: Sequence[bool]) -> tuple[int, str] | None:
    """End and spelling of a `%`, `pp`, `bp` or `x`."""
    return phrase_at(SHARES_BY_WORD, tokens, index, free)


def phrase_at(phrases: _Phrases, tokens: Sequence[Token], index: int, free: Sequence[bool]) -> tuple[int, str] | None:
    """End and value of the longest of these phrases that starts here, all of it in free tokens."""
    if index >= len(tokens):
        return None
    for words, value in phrases.get(tokens[index].text, ()):
        end = index + len(words)
        if all(free[index:end]) and tuple(token.text for token in tokens[index:end]) == words:
            return end, value
    return None
