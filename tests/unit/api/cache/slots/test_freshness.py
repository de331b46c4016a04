"""Which answers are kept for minutes only, because the right one depends on the day."""

from __future__ import annotations

import pytest

from api.cache.slots.parser import SlotParser
from api.cache.slots.words.lexicon import Lexicon
from api.cache.volatility import is_volatile

PARSER = SlotParser(Lexicon.load())


@pytest.mark.parametrize(
    "question",
    [
        "What is the weather in Paris?",
        "Who won the game?",
        "Is the post office open?",
        "EUR/USD",
        "Convert 100 USD to EUR.",
        "Any breaking news about Tesla?",
        "Has Apple paid its dividend yet?",
        "What is Tesla trading at?",
        "Why is Nvidia stock falling?",
        "Where is the Dow?",
        "How has Apple performed so far in 2024?",
        "TSLA",
        "AAPL quote",
        "mortgage rates",
        "What is Ford's P/E ratio?",
        "What time is it in Tokyo?",
        "What was revenue last quarter?",
        "Richest person in the world",
    ],
)
def test_what_moves_is_kept_for_minutes(question: str) -> None:
    assert is_volatile(PARSER.parse(question))


@pytest.mark.parametrize(
    "question",
    [
        "What was Apple's revenue in 2023?",
        "What was Apple's share price on March 5, 2024?",
        "What was the mortgage rate in 2023?",
        "Who won the World Cup in 2018?",
        "What is free cash flow?",
        "Who founded Palantir?",
        "What is the difference between EBITDA and operating income?",
        "How do I reset my password?",
        "Which countries border France?",
        "What is working capital?",
        "How many employees does Meta have?",
    ],
)
def test_what_stays_is_kept_for_a_day(question: str) -> None:
    assert not is_volatile(PARSER.parse(question))
