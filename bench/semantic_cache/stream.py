"""A stream of questions with repeats, paraphrases and hard negatives, asked at its own pace; every hit is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.exchange import together
from bench.gateway import KEY
from bench.load import LoadError
from bench.semantic_cache.client import Answer, Client, chat, connected
from bench.semantic_cache.engine import MODEL
from bench.semantic_cache.timeline import Question, Traffic

_CONNECTIONS = 32
_SYSTEM = "You are FinSight, an assistant for analysts. Answer from the filings, with the figure, its unit and period."
_DRAWN_TEMPERATURE = 0.9
# Until an answer has been stored and its time begins; in seconds of the run, not of the stream.
_STORING_S = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    question: Question
    tier: str
    answered: str
    """What the engine was asked when it gave the answer."""
    is_wrong: bool
    """A hit with the answer to another intent."""
    is_stale: bool
    """A hit with an answer that is older than such answers are kept."""
    age_s: float
    """Of the answer when the question was asked, in the stream's time."""
    latency_s: float

    @property
    def is_hit(self) -> bool:
        return self.tier in ("exact", "canonical", "semantic")


def settings(traffic: Traffic, speed: float) -> Mapping[str, str]:
    """What the gateway must be told so that its answers age as fast as the stream runs."""
    return {
        "SEMANTIC_CACHE_TTL_S": str(traffic.ttl_s / speed),
        "SEMANTIC_CACHE_VOLATILE_TTL_S": str(traffic.volatile_ttl_s / speed),
    }


async def run(
    asked: Sequence[Question], traffic: Traffic, *, port: int, speed: float, progress: Callable[[str], None]
) -> list[Outcome]:
    """Ask every question at its time. Raises LoadError, also where the machine cannot keep the pace."""
    intent_of = {question.text: question.intent.name for question in asked}
    loop = asyncio.get_running_loop()
    outcomes: list[Outcome] = []
    async with connected(port=port, key=KEY, connections=_CONNECTIONS) as client:
        began_s = loop.time()

        async def one(number: int, question: Question) -> None:
            due_s = began_s + question.at_s / speed
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if loop.time() - due_s > 1:
                raise LoadError(f"the load generator is {loop.time() - due_s:.1f} s late: lower --speed")
            if number % 500 == 0:
                progress(f"stream: {number} of {len(asked)}, hour {question.at_s / 3600:.1f}")
            outcomes.append(_outcome(question, await _ask(client, question), intent_of, traffic, speed))

        await together(one(number, question) for number, question in enumerate(asked))
    return sorted(outcomes, key=lambda outcome: outcome.question.at_s)


async def _ask(client: Client, question: Question) -> Answer:
    body = chat(question.text, system=_SYSTEM, model=MODEL)
    if not question.cacheable:
        body["temperature"] = _DRAWN_TEMPERATURE
    return await client.ask(body)


def _outcome(
    question: Question, answer: Answer, intent_of: Mapping[str, str], traffic: Traffic, speed: float
) -> Outcome:
    if not answer.is_hit and answer.question != question.text:
        raise LoadError(f"{answer.tier!r} is not the engine's answer to {question.text!r}")
    ttl_s = traffic.volatile_ttl_s if question.intent.volatile else traffic.ttl_s
    age_s = answer.sent_s - answer.engine_s
    return Outcome(
        question=question,
        tier=answer.tier,
        answered=answer.question,
        is_wrong=answer.is_hit and intent_of[answer.question] != question.intent.name,
        is_stale=answer.is_hit and age_s > ttl_s / speed + _STORING_S,
        age_s=age_s * speed,
        latency_s=answer.latency_s,
    )
