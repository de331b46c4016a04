from __future__ import annotations

import pytest

from api.cache.recorder import assembled
from api.cache.refusal import declines
from api.recorded_stream import Unfit
from serving.types import Endpoint


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I am really sorry, I cannot share that.",
        "Sorry, I don't know.",
        "I can\u2019t assist with that request.",
        "I cannot provide investment advice.",
        "i can not answer this",
        "I don't have access to real-time data.",
        "I do not have information about that company.",
        "I'm unable to browse the web.",
        "I am not able to look this up.",
        "I won't do that.",
        "Unfortunately, I cannot tell.",
        "I apologize, but this is beyond what I know.",
        "As an AI language model, I have no opinion.",
        "As a large language model I cannot say.",
        "We're unable to answer.",
        "I must decline.",
        "  \n I'm afraid that is not in the documents.",
    ],
)
def test_a_refusal_in_plain_words(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "Apple's revenue was $94.9bn.",
        "Companies cannot deduct dividends.",
        "I think that margins fell because of freight costs.",
        "Unfortunately for holders, the dividend was cut.",
        "As an airline, Delta hedges fuel.",
        "You asked: I'm sorry?",
        "It won't: the bond is callable.",
        "",
        "I'm sorry, the first figure was wrong. " + "It is this one. " * 50,
    ],
)
def test_an_answer(text: str) -> None:
    assert not declines(text)


def test_it_is_not_kept() -> None:
    body = {"choices": [{"message": {"content": "I'm sorry, I can't say."}, "finish_reason": "stop"}]}
    with pytest.raises(Unfit, match="refusal"):
        assembled(body, Endpoint.CHAT, choices=1)
