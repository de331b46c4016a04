"""How much of a conversation is read before its last question is compared."""

from __future__ import annotations

import pytest

from api.cache.slots.parser import SlotParser
from api.cache.slots.types import Slots
from api.cache.slots.words.lexicon import Lexicon
from api.grounding.conversation import asked_messages
from rag.types import StandaloneQuestion

QUESTION = "What was the revenue of Aldermoor Robotics in Q3 2024?"


class CountingParser:
    version = "counting"

    def __init__(self) -> None:
        self.parsed = 0
        self._parser = SlotParser(Lexicon.load(None))

    def parse(self, question: str) -> Slots:
        self.parsed += 1
        return self._parser.parse(question)


@pytest.mark.parametrize(("turns", "kept"), [(20, 0), (21, 21), (9_999, 9_999)])
def test_a_long_conversation_is_compared_as_it_is_and_not_read(turns: int, kept: int) -> None:
    parser = CountingParser()
    earlier = [
        {"role": "user", "content": f"What was the revenue of Aldermoor Robotics in {each}?"} for each in range(turns)
    ]
    question = StandaloneQuestion(text=QUESTION, search_text=QUESTION, words=())
    asked = asked_messages([*earlier, {"role": "user", "content": QUESTION}], question, parser)
    assert asked == [*earlier[:kept], {"role": "user", "content": QUESTION}]
    assert parser.parsed <= 21
