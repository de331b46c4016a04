"""What no load may break: scopes, expiry, and one call of the engine for many who ask the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bench.gateway import KEY
from bench.load import LoadError
from bench.semantic_cache.client import Answer, Client, chat, connected
from bench.semantic_cache.engine import MODEL
from bench.semantic_cache.scopes import SYSTEM, Scope, Scopes
from bench.semantic_cache.servers import Platform

_QUESTIONS = tuple(
    f"What was {company}'s {measure} in {period}?"
    for company in ("Nvidia", "Costco", "Corvane Software", "American Airlines")
    for measure in ("revenue", "net income", "gross margin")
    for period in ("Q1 2024", "fiscal 2023")
)
_CONNECTIONS = 16
_STORED_AFTER_S = 0.5
# An answer's time begins when it is stored, a moment after it was given.
_STORING_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    requests: int
    scopes: int
    """Different ones among them."""
    own_hits: int
    """Served with an answer of the same scope: the proof that the cache was at work."""
    cross_hits: Sequence[str]
    """Served with another scope's answer, or with that to another question."""


@dataclass(frozen=True, kw_only=True)
class Expiry:
    ttl_s: float
    hits: int
    late_hits: int
    """Served although their time was over."""
    oldest_s: float
    """The oldest answer that was served, in seconds after its client had it."""
    renewed: int
    """Questions that an engine answered again afterwards."""
    questions: int


@dataclass(frozen=True, kw_only=True)
class Flights:
    """One sample a round."""

    concurrent: int
    engine_calls: Sequence[int]
    answered: Sequence[int]
    """Those that got the answer that the engine had given."""


async def fuzz(platform: Platform, *, requests: int, seed: int, progress: Callable[[str], None]) -> Fuzzed:
    """Questions that are in the cache, asked in thousands of scopes that differ in one thing or more."""
    rng = Random(seed)  # noqa: S311  # repeatable requests, not secrets
    scopes = Scopes(rng)
    given: dict[int, tuple[str, str]] = {}  # by the engine's call: the scope and the question
    own_hits, cross_hits = 0, []
    seen: set[str] = set()
    async with connected(port=platform.port, key=KEY, connections=_CONNECTIONS) as client:
        home = Scope.home()
        firsts = await asyncio.gather(*(_ask_in(client, home, question) for question in _QUESTIONS))
        given.update({answer.call: (home.name, answer.question) for answer in firsts})
        await asyncio.sleep(_STORED_AFTER_S)
        for start in range(0, requests, _CONNECTIONS):
            batch = [(scopes.draw(), rng.choice(_QUESTIONS)) for _ in range(min(_CONNECTIONS, requests - start))]
            answers = await asyncio.gather(*(_ask_in(client, scope, question) for scope, question in batch))
            for (scope, question), answer in zip(batch, answers, strict=True):
                seen.add(scope.name)
                mine = given.setdefault(answer.call, (scope.name, question)) == (scope.name, question)
                own_hits += answer.is_hit and mine
                if not mine:
                    cross_hits.append(f"{scope.name} got an answer of {given[answer.call]}")
            if start % 2_000 < _CONNECTIONS:
                progress(f"isolation: {start} of {requests} requests in {len(seen)} scopes")
    return Fuzzed(requests=requests, scopes=len(seen), own_hits=own_hits, cross_hits=cross_hits)


async def _ask_in(client: Client, scope: Scope, question: str) -> Answer:
    return await client.ask(scope.body(question), key=scope.key, headers=scope.headers)


async def expiry(platform: Platform, *, ttl_s: float, progress: Callable[[str], None]) -> Expiry:
    """Read answers again and again until long after their time. The gateway's must be set to `ttl_s`."""
    progress(f"isolation: reading answers of {ttl_s:g} s until they are gone")
    stored_s: dict[int, float] = {}
    ages: list[float] = []
    calls: dict[str, set[int]] = {question: set() for question in _QUESTIONS}
    async with connected(port=platform.port, key=KEY, connections=_CONNECTIONS) as client:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + 3 * ttl_s
        while loop.time() < end_s:
            for question in _QUESTIONS:
                answer = await client.ask(chat(question, system=SYSTEM, model=MODEL))
                calls[question].add(answer.call)
                if answer.is_hit:
                    ages.append(answer.sent_s - stored_s[answer.call])
                else:
                    stored_s[answer.call] = answer.received_s
            await asyncio.sleep(0.02)
    if not ages:
        raise LoadError("no answer was served from the cache: there is no expiry to see")
    return Expiry(
        ttl_s=ttl_s,
        hits=len(ages),
        late_hits=sum(age > ttl_s + _STORING_S for age in ages),
        oldest_s=max(ages),
        renewed=sum(len(found) > 1 for found in calls.values()),
        questions=len(_QUESTIONS),
    )


async def flights(platform: Platform, *, concurrent: int, rounds: int, progress: Callable[[str], None]) -> Flights:
    """So many ask what nobody has asked, at once, over all workers; every other round is of streams."""
    engine_calls, answered = [], []
    platform.set_engine_delay(0.5)
    try:
        for number in range(rounds):
            before = platform.engine_calls()
            # New connections each round: the kernel spreads them over the workers.
            async with connected(port=platform.port, key=KEY, connections=concurrent) as client:
                question = f"What was Nvidia's revenue in Q{number % 4 + 1} {2010 + number}?"
                body = chat(question, system=SYSTEM, model=MODEL, **_streamed(number))
                answers = await asyncio.gather(*(client.ask(body) for _ in range(concurrent)))
            calls = platform.engine_calls() - before
            engine_calls.append(calls)
            answered.append(sum(answer.question == question for answer in answers))
            progress(f"isolation: {concurrent} at once, {calls} call(s) of the engine")
    finally:
        platform.set_engine_delay(0)
    return Flights(concurrent=concurrent, engine_calls=engine_calls, answered=answered)


def _streamed(number: int) -> Mapping[str, Any]:
    return {"stream": True} if number % 2 else {}
