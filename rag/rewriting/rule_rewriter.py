"""`QuestionRewriter` by rules: no model, no round trip, and the same answer every time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.rewriting.conversation import last_turn
from rag.rewriting.glossary import Glossary
from rag.rewriting.question import read_question
from rag.rewriting.search_terms import asked_text, search_words, standard_text
from rag.types import StandaloneQuestion

# Changes when a rule does.
_RULES = "2"
# Characters of a long question's beginning and end, which take about a millisecond each.
_READ = 500
# Longer runs of white space say no more, and rules that try each place of one take its length cubed.
_RUN = re.compile(r"(\s{3})\s+")
# Of each text that was asked before: the rules are read on the event loop, and one text may be a whole document.
_MOST_CHARACTERS_BEFORE = 2_000


class RuleRewriter:
    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._version = f"{_RULES}-{glossary.version}"

    @property
    def version(self) -> str:
        return self._version

    def rewrite(self, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        before = [_RUN.sub(r"\1", text[:_MOST_CHARACTERS_BEFORE]) for text in earlier]
        turn = last_turn(_RUN.sub(r"\1", question), before, self._glossary)
        searched = turn.asked
        if not searched.tokens:
            # Too long to be a follow-up. Where it begins and ends says what it is about, and that is read in time.
            searched = read_question(_shortened(searched.text), self._glossary)
        if not turn.complete and turn.context is not None:
            # What could not be made complete is searched with what was spoken of before.
            searched = read_question(f"{turn.context.text} {turn.asked.text}", self._glossary)
        return StandaloneQuestion(
            text=asked_text(turn.asked),
            search_text=standard_text(searched),
            words=search_words(searched),
            complete=turn.complete,
        )


def _shortened(text: str) -> str:
    return text if len(text) <= 2 * _READ else f"{text[:_READ]} {text[-_READ:]}"
