"""Tickers of one letter: "how much debt did T carry" speaks of AT&T, "hepatitis A" and "plan C" of no company."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.words.lexicon import Lexicon, Match, Word

_BEFORE = frozenset(
    """
    did does do has had is was will of at for by and vs versus or than between with compare to
    """.split()  # noqa: SIM905 -- a list of words reads best as text
)
_AFTER = frozenset({"metrics", "preposition", "connective", "auxiliary", "basis", "carrier", "directions", "documents"})

_OF_COMPANIES = frozenset({"metrics", "documents", "basis"})
_STOCK = frozenset({"stock", "stocks", "share", "shares", "ticker", "corp", "inc", "company"})


def is_letter_for_a_company(match: Match, words: Sequence[Word], matches: Sequence[Match]) -> bool:
    """Where a figure is asked for, and it stands as a company would: with $ or 's, or alone after "of" or "did"."""
    raw = words[match.start].raw
    if raw.startswith("$"):
        return True
    after = {other.phrase.slot for other in matches if other.start == match.end}
    if not raw[0].isupper() or not ("carrier" in after or any(other.phrase.slot == "metrics" for other in matches)):
        return False
    if raw.endswith(("'s", "'S")):
        # Not "Vitamin C's"
        return match.start < 2 or words[match.start - 1].raw.islower()
    at_end = match.end == len(words) or any(map(str.isdigit, words[match.end].text))
    if not at_end and not after & _AFTER:
        return False
    return words[match.start - 1].text in _BEFORE if match.start else "metrics" in after or at_end


def without_doubtful_tickers(matches: Sequence[Match], words: Sequence[Word], lexicon: Lexicon) -> list[Match]:
    """Without short names that stand for much else (USB, ICE, CRM) where no figure, share or period is spoken of."""
    if any(match.phrase.slot in _OF_COMPANIES for match in matches):
        return list(matches)
    if any(any(map(str.isdigit, word.text)) or word.text in _STOCK or word.raw.startswith("$") for word in words):
        return list(matches)
    return [match for match in matches if not _is_doubtful(match, words, lexicon)]


def _is_doubtful(match: Match, words: Sequence[Word], lexicon: Lexicon) -> bool:
    if match.phrase.slot != "entities" or match.end - match.start > 1:
        return False
    word = words[match.start]
    return (
        len(words) > 1 and word.raw.isupper() and lexicon.is_ticker(word.text) and not word.raw.endswith(("'s", "'S"))
    )


def who_is_a_name(words: Sequence[Word]) -> bool:
    """The World Health Organization, unless all is in capitals."""
    return bool(words) and words[0].raw == "WHO" and any(any(map(str.islower, word.raw)) for word in words)
