"""Names in a question: capitalised runs of words, tickers and product codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.language.words import ASKING_WORDS, STOP_WORDS, Token, word_set

_MONTHS_AND_DAYS = word_set(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday"
)
# Begin a question or a request, and are a capital letter there for no other reason.
_OPENERS = word_set(
    """
    break briefly calculate check cite compare define describe discuss display estimate explain find finally first give
    help identify learn list mention name next note open outline point print provide pull quick read remind report
    respond second send state step suppose tell translate walk write assuming besides both following given including
    regarding according based considering similarly
    """
)
_JOINTS = frozenset({"&", "of", "de", "von", "van", "der", "la", "du"})
# In a text that writes nearly every word with a capital letter, these tell nothing.
_SHOUTED_SHARE = 0.75
_SHOUTED_FROM = 5


class NameSpan(NamedTuple):
    """Where a text has a name; a ticker in brackets behind it is part of it."""

    start: int
    end: int
    """Of the name alone, without a possessive ending."""
    text: str


def names_in(text: str, tokens: Sequence[Token], taken: Sequence[tuple[int, int]] = ()) -> list[NameSpan]:
    """In the order of the text. `taken`: ranges that are known to be something else."""
    tokens = [token for token in tokens if not any(s < token.end and token.start < e for s, e in taken)]
    if _is_shouted(tokens):
        return [NameSpan(token.start, token.end, token.text) for token in tokens if _is_code(token.text)]
    runs: list[NameSpan] = []
    for index, token in enumerate(tokens):
        if not _is_name(token, tokens, index, text):
            continue
        if runs and _joined(text, runs[-1].end, token.start):
            start = runs[-1].start
            runs[-1] = NameSpan(start, token.end, text[start : token.end])
        else:
            runs.append(NameSpan(token.start, token.end, token.text))
    return _with_tickers(runs, text)


def possessive(name: str) -> str:
    return f"{name}'" if name.endswith(("s", "S")) else f"{name}'s"


def _is_name(token: Token, tokens: Sequence[Token], index: int, text: str) -> bool:
    word = token.text
    if not word[0].isupper():
        # iPhone, eBay; and codes such as x200.
        return _is_code(word) or any(character.isupper() for character in word[1:])
    lower = word.lower()
    if (
        lower in STOP_WORDS
        or lower in _MONTHS_AND_DAYS
        or (len(word) == 1 and not text[token.end :].startswith(("&", "-")))
    ):
        return False
    if not _begins_sentence(text, token.start):
        return True
    if lower in _OPENERS or lower in ASKING_WORDS:
        return False
    if word.isupper() or _is_code(word) or text[token.end : token.end + 2] in ("'s", "\u2019s", "' ", "\u2019 "):
        return True
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    if following is None:
        return True
    return (
        following.text[0].isupper() and following.lower not in STOP_WORDS and _joined(text, token.end, following.start)
    )


def _begins_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \"'([\u201c\u2018-*\u2022")
    return not before or before[-1] in ".!?:\n;"


def _joined(text: str, end: int, start: int) -> bool:
    between = text[end:start]
    return between == " " or (between.strip() in _JOINTS and len(between) > 2)


def _is_code(word: str) -> bool:
    """A product's or a form's: letters and digits in one, such as AX-200 or 10-K."""
    return any(character.isdigit() for character in word) and any(character.isalpha() for character in word)


def _is_shouted(tokens: Sequence[Token]) -> bool:
    words = [token.text for token in tokens if token.text[0].isalpha()]
    return len(words) >= _SHOUTED_FROM and sum(word[0].isupper() for word in words) > _SHOUTED_SHARE * len(words)


_TICKER = re.compile(r" \(([A-Z][A-Z0-9.]{0,5})\)$")


def _with_tickers(runs: list[NameSpan], text: str) -> list[NameSpan]:
    """`Acme Corp (ACM)` is one name."""
    whole: list[NameSpan] = []
    for run in runs:
        if whole and _TICKER.fullmatch(text[whole[-1].end : run.end + 1]):
            whole[-1] = whole[-1]._replace(end=run.end + 1)
        else:
            whole.append(run)
    return whole
