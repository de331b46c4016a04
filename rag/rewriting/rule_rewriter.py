"""`QuestionRewriter` by rules: no model, no round trip, and the same answer every time."""

from __future__ import annotations

from collections.abc import Sequence

from rag.rewriting.conversation import Turn, last_turn
from rag.rewriting.glossary import Glossary
from rag.rewriting.question import read_question
from rag.rewriting.search_terms import asked_text, search_words, standard_text
from rag.types import StandaloneQuestion

# Changes when a rule does.
_RULES = "1"


class RuleRewriter:
    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._version = f"{_RULES}-{glossary.version}"

    @property
    def version(self) -> str:
        return self._version

    def rewrite(self, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        turn = last_turn(question, earlier, self._glossary)
        asked = read_question(turn.text, self._glossary)
        searched = asked if turn.complete else read_question(_with_context(turn), self._glossary)
        return StandaloneQuestion(
            text=asked_text(asked),
            search_text=standard_text(searched),
            words=search_words(searched),
            complete=turn.complete,
        )


def _with_context(turn: Turn) -> str:
    """What could not be made complete is searched with what was spoken of before."""
    return turn.text if turn.context is None else f"{turn.context.text} {turn.text}"
