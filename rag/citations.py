"""The marks in an answer that stand for passages, read while the answer is being written.

Unchecked, the text stays as the engine has written it, and marks of passages that there are become citations. Checked,
a mark is taken out of the text if there is no such passage, or if the passage does not have the figures that the mark
is to prove: those between the mark before it, or the beginning of the sentence, and itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

from rag.figures import Amounts, agreeing, amounts
from rag.types import Citation, Passage

_SPACE = r"[ \t\u00a0]"
_BRACKET = r"\[ ?[1-9]\d{0,2}(?: ?, ?[1-9]\d{0,2}){0,19} ?\]"
_GROUP = rf"{_SPACE}{{0,8}}{_BRACKET}(?:{_SPACE}?{_BRACKET})*"
_TOKEN = re.compile(rf"(?P<fence>```)|(?P<tick>`)|(?P<line>\n)|(?P<group>{_GROUP})")
_ONE_BRACKET = re.compile(rf"{_SPACE}*{_BRACKET}")
_LABEL = re.compile(r"\d+")
# What may yet become a group, or a fence, with what comes next. Read backwards from the end, because a search for where
# it begins would try each of a thousand marks in a row.
_BEGUN_BACKWARDS = r" ?(?:\d{0,2}[1-9])? ?(?:, ?\d{0,2}[1-9] ?){0,19}\["
_BRACKET_BACKWARDS = r"\] ?\d{0,2}[1-9](?: ?, ?\d{0,2}[1-9]){0,19} ?\["
_POSSIBLE_BACKWARDS = re.compile(
    rf"`{{1,2}}(?!`)|(?:{_BEGUN_BACKWARDS})?(?:{_SPACE}?{_BRACKET_BACKWARDS})*{_SPACE}{{0,8}}"
)
_SENTENCE_END = re.compile("(?<=[.!?])[\"')\\]\u201d\u2019]*\\s+|\\n+")
_MOST_CLAUSE = 2_000
_BETWEEN = " \t,;.&"
# Each carries its passage; an answer made of marks alone must not be a thousand times as long with them.
MOST_CITATIONS = 100


class MarkOutcome(StrEnum):
    KEPT = "kept"
    UNKNOWN = "unknown"
    """No passage has this number."""
    UNSUPPORTED = "unsupported"
    """The passage does not have the figures."""


class CitationReader:
    """Of one choice of an answer. Cut anywhere, the same text gives the same."""

    def __init__(self, passages: Sequence[Passage], *, checks: bool) -> None:
        """`passages`: by label, from 1."""
        self._passages = passages
        self._checks = checks
        self._amounts: dict[int, Amounts] = {}
        self._pending = ""
        self._written = 0
        self._in_fence = False
        self._in_tick = False
        self._clause = ""
        self._proven = ""
        self.citations: list[Citation] = []
        self.outcomes: Counter[MarkOutcome] = Counter()

    def feed(self, text: str) -> str:
        """What can be shown by now."""
        self._pending += text
        possible = _POSSIBLE_BACKWARDS.match(self._pending[::-1])
        end = len(self._pending) - (0 if possible is None else possible.end())
        settled, self._pending = self._pending[:end], self._pending[end:]
        written = self._settle(settled)
        return written if self._checks else text

    def finish(self) -> str:
        """The rest, when no more comes."""
        settled, self._pending = self._pending, ""
        written = self._settle(settled)
        return written if self._checks else ""

    def _settle(self, text: str) -> str:
        return "".join(self._pieces(text)) if text else ""

    def _pieces(self, text: str) -> Iterator[str]:
        start = 0
        for token in _TOKEN.finditer(text):
            yield self._plain(text[start : token.start()])
            start = token.end()
            if token["group"] is None or self._in_fence or self._in_tick:
                self._note_code(token)
                yield self._plain(token[0])
            else:
                # A link takes the reader where the engine, or a document, wants.
                is_link = text[token.end() : token.end() + 1] == "("
                yield self._group(token[0], is_link=is_link)
        yield self._plain(text[start:])

    def _note_code(self, token: re.Match[str]) -> None:
        if token["fence"]:
            self._in_fence = not self._in_fence
        elif token["tick"] and not self._in_fence:
            self._in_tick = not self._in_tick
        elif token["line"]:
            self._in_tick = False

    def _plain(self, text: str) -> str:
        self._written += len(text)
        self._clause = (self._clause + text)[-_MOST_CLAUSE:]
        return text

    def _group(self, text: str, *, is_link: bool) -> str:
        brackets = [bracket[0] for bracket in _ONE_BRACKET.finditer(text)]
        labels = [int(label) for bracket in brackets for label in _LABEL.findall(bracket)]
        kept = set() if is_link else self._kept(labels)
        if is_link:
            self.outcomes[MarkOutcome.UNKNOWN] += len(labels)
        return "".join(self._bracket(bracket, kept) for bracket in brackets)

    def _bracket(self, bracket: str, kept: set[int]) -> str:
        labels = [int(label) for label in _LABEL.findall(bracket)]
        cited = [label for label in labels if label in kept]
        mark = bracket.lstrip(" \t\u00a0")
        if self._checks and len(cited) < len(labels):
            if not cited:
                return ""
            space, mark = bracket[: len(bracket) - len(mark)], f"[{', '.join(map(str, cited))}]"
            bracket = space + mark
        end = self._written + len(bracket)
        for label in dict.fromkeys(cited):
            if len(self.citations) < MOST_CITATIONS:
                passage = self._passages[label - 1]
                self.citations.append(Citation(label=label, passage=passage, start=end - len(mark), end=end))
        self._written = end
        return bracket

    def _kept(self, labels: Sequence[int]) -> set[int]:
        known = {label for label in labels if label <= len(self._passages)}
        self.outcomes[MarkOutcome.UNKNOWN] += sum(label not in known for label in labels)
        if not self._checks:
            self.outcomes[MarkOutcome.KEPT] += sum(label in known for label in labels)
            return known
        kept = self._supported(known)
        self.outcomes[MarkOutcome.KEPT] += sum(label in kept for label in labels)
        self.outcomes[MarkOutcome.UNSUPPORTED] += sum(label in known and label not in kept for label in labels)
        return kept

    def _supported(self, known: set[int]) -> set[int]:
        """Of marks that stand together each must have some of the figures, and together they must have all."""
        said = amounts(self._sentence())
        if not said or not known:
            return known
        has = {label: agreeing(said, self._amounts_of(label)) for label in known}
        if frozenset().union(*has.values()) != said.keys():
            return set()
        return {label for label, found in has.items() if found}

    def _sentence(self) -> str:
        """What the next mark is to prove. Forgets it, but for marks that follow with nothing between."""
        if self._clause.strip(_BETWEEN) not in ("", "and"):
            sentences = [part for part in _SENTENCE_END.split(self._clause) if part.strip(_BETWEEN)]
            self._proven = sentences[-1] if sentences else ""
        self._clause = ""
        return self._proven

    def _amounts_of(self, label: int) -> Amounts:
        found = self._amounts.get(label)
        if found is None:
            passage = self._passages[label - 1]
            found = self._amounts[label] = amounts("\n".join((passage.title, *passage.headings, passage.text)))
        return found
