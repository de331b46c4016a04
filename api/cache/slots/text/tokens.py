"""A question as words and numbers.

Nothing that carries meaning is lost: whatever is neither a word, a number nor plain punctuation becomes a token of its
own. What belongs together stays one token: `Q3'24`, `10-K`, `S&P`, `BRK.B`, `U.S.`, `$5.2bn`, `year-end`, `2023/24`.
Linear in the length of the question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from api.cache.slots.types import Token

CURRENCY_SIGNS = "$¢£¥₩₹₽€₺₫₴₦₱₪₿฿₸₡₲₵₭₮"

# What stands for the same sign. The long dashes are punctuation unless they stand between two numbers or words.
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\uff07\u2032`\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2014\u2015", " - "),
        **dict.fromkeys(
            "\u00ad\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2122\u00ae\u2120\u00a9"
        ),
        "\u200b": " ",
        "\u2044": "/",
    }
)
# Digits of other shapes that mean the plain ones; those of all other kinds (①, ½, ₂) must not run into a neighbour.
_SAME_DIGIT = ("<wide>", "<narrow>", "<font>")

_LETTERS = r"[^\W_]+"
_TOKEN = re.compile(
    rf"""
      (?P<plain>    [a-z]+(?=[\s,?]|$) )
    | (?P<code>     \d+\([a-z]{{1,3}}\)(?!\w) )                              # 401(k)
    | (?P<loss>     \((?!(?:19|20)\d\d\))\d[\d.,]*%?\) )                     # (5.2): less than nothing, in accounts
    | (?P<year>     '\d\ds?(?![\w']) )                                       # '24, '90s
    | (?P<no>       no\.(?=\s*\d) )                                          # No. 1
    | (?P<cashtag>  \$(?!us\b)[a-z]{{1,5}}(?:\.[a-z])?(?!\w) )               # $AAPL
    | (?P<word>
        (?: (?<![\w.%)])[+-](?=[{CURRENCY_SIGNS}]?\.?\d) )?                  # -5%
        (?: (?:[a-z]{{1,3}})?[{CURRENCY_SIGNS}](?=\.?\d) )?                  # US$5
        (?: (?<!\w)\.(?=\w) )?                                               # .5, .NET
        {_LETTERS}
        (?: (?:[&'./_-]|(?<=\d)[,:](?=\d)) {_LETTERS} )*
        (?: %-\d+(?:\.\d+)?% | %-points? )?                                  # 5%-10%
        (?: [+]{{1,2}}(?!\w) | [#](?!\w) | -(?=[\s.,;:?!)]|$) )?             # AA-, Disney+, 10+, C#
        (?: [%‰]?[{CURRENCY_SIGNS}](?!\w) | [%‰] )?                          # 5%, 5€, US$
        (?: \.?'s(?!\w) | '(?!\w) )?                                         # Inc.'s, Disney+'s, companies'
      )
    | (?P<sign>     [!<>=]=|[-=]> | [^\s.,;:?!"'] )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPERATORS = frozenset({"+", "*", "/", "^", "=", "<", ">", "==", "!=", "<=", ">="})

_QUESTION_WORDS = frozenset({"what", "who", "where", "when", "why", "how", "which"})
_IS = _QUESTION_WORDS | {"that", "there", "here", "it", "he", "she", "this"}
_BEFORE_NOT = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
_ENDINGS = {"'re": "are", "'ll": "will", "'ve": "have", "'m": "am", "'d": "would"}
_WHOLE = {"cannot": ("can", "not"), "let's": ("let", "us"), "im": ("i", "am"), "ive": ("i", "have")} | {
    # As typed by those who leave the apostrophe out. `its`, `lets` and `id` are words and stay.
    **{word + "s": (word, "is") for word in ("what", "who", "where", "that", "there", "how")},
    **{
        word + "nt": (_BEFORE_NOT.get(word, word), "not")
        for word in (
            *("do", "does", "did", "is", "are", "was", "were", "have", "has", "had"),
            *("ca", "could", "should", "would", "wo"),
        )
    },
}


def tokenize(question: str) -> tuple[Token, ...]:
    """The question's tokens in order. Total: any text gives some, and text without content gives none.

    A contraction gives the tokens of its words, each with the contraction as `raw`. A possessive keeps its ending in
    `raw` alone. `$AAPL` has the text `aapl`, a lone `&` the text `and`.
    """
    tokens: list[Token] = []
    calculates = False
    for match in _TOKEN.finditer(_unified(question)):
        raw = match.group()
        text = raw.lower()
        kind = match.lastgroup
        if kind == "plain" and text not in _WHOLE:
            tokens.append(Token(text, raw))
        elif kind in ("plain", "word"):
            tokens.extend(_words(text, raw))
        elif kind == "cashtag":
            tokens.append(Token(text[1:], raw))
        else:
            calculates = calculates or raw in _OPERATORS
            tokens.append(Token("and" if raw == "&" else text, raw))
    return tuple(tokens if calculates else _without_punctuation(tokens))


def _unified(question: str) -> str:
    if question.isascii():
        return question.replace("`", "'") if "`" in question else question
    apart = "".join(map(_apart, question)) if any(map(_joins_digits, question)) else question
    # Twice: some signs only appear when a compatibility character is taken apart, others would not survive it.
    return unicodedata.normalize("NFKC", apart.translate(_SIGNS)).translate(_SIGNS)


def _joins_digits(char: str) -> bool:
    return not char.isascii() and char.isnumeric() and unicodedata.decomposition(char).startswith("<")


def _apart(char: str) -> str:
    """`10²` is not 102 and `5½` is not 51/2, which is what their normal form would make of them."""
    if not _joins_digits(char):
        return char
    tag = unicodedata.decomposition(char).split(" ", 1)[0]
    if tag in _SAME_DIGIT:
        return char
    return f"^{char}" if tag == "<super>" else f" {char} "


def _words(text: str, raw: str) -> Iterator[Token]:
    if text.endswith("'") and len(text) > 1:
        text = text[:-1]
        raw = raw if text.endswith("s") else raw[:-1]
    if text in _WHOLE:
        for word in _WHOLE[text]:
            yield Token(word, raw)
        return
    if text.endswith("n't") and len(text) > 3:
        yield Token(_BEFORE_NOT.get(text[:-3], text[:-3]), raw)
        yield Token("not", raw)
        return
    stem, apostrophe, ending = text.rpartition("'")
    if stem and ending == "s":
        yield Token(stem.removesuffix("."), raw)
        if stem in _IS:
            yield Token("is", raw)
    elif stem and apostrophe + ending in _ENDINGS:
        yield Token(stem, raw)
        # "what'd it earn" asks what it did, "I'd like" what one would: after a question word either may be meant.
        yield Token("'d" if ending == "d" and stem in _QUESTION_WORDS else _ENDINGS[apostrophe + ending], raw)
    else:
        yield Token(text, raw)


def _without_punctuation(tokens: list[Token]) -> Iterator[Token]:
    """Brackets and dashes between words are punctuation where nothing is calculated."""
    last = len(tokens) - 1
    for index, token in enumerate(tokens):
        if token.text in "()":
            continue
        if token.text == "-" and not (
            0 < index < last and _has_digit(tokens[index - 1]) and _has_digit(tokens[index + 1])
        ):
            continue
        yield token


def _has_digit(token: Token) -> bool:
    return any(map(str.isdigit, token.text))
