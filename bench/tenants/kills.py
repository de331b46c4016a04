"""Requests while workers, Redis and Postgres are killed: the ledger afterwards against what the engine has counted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from bench.tenants.clients import Asked, Clients, End, Question, clients
from bench.tenants.faults import Faults, Strike
from bench.tenants.ledger import Row, rows_in_the_end
from bench.tenants.site import Site
from bench.tenants.stack import EngineSize, Stack, await_workers, running_stack, total

KEYS = {"sk-bench-drill-1-77d0c4": "drill-1", "sk-bench-drill-2-1fa936": "drill-2"}
ENGINE = EngineSize(sequences=64, time_scale=2)
USERS = 24
_QUIET_S = 6.0
_WITHIN_S = 60.0
# A client that finds nobody comes again after this.
_AFTER_LOSS_S = 0.1
_SETTINGS = {"LOG_LEVEL": "INFO"}


@dataclass(frozen=True, kw_only=True)
class EngineTokens:
    """As the engine counts them itself."""

    prompt: int
    completion: int


@dataclass(frozen=True, kw_only=True)
class Result:
    asked: Sequence[Asked]
    strikes: Sequence[Strike]
    rows: Sequence[Row]
    engine: EngineTokens
    seed: int
    leaves: int
    """Clients that were to leave early."""


async def run(site: Site, *, requests: int, seed: int) -> Result:
    """Raises ProcessError and ServiceError."""
    with running_stack(site.directory, cores=site.cores, keys=KEYS, engine=ENGINE, settings=_SETTINGS) as stack:
        before = engine_tokens(stack)
        prefix = f"kill-{secrets.token_hex(4)}"
        faults = Faults(stack, seed=seed, progress=site.progress)
        striking = asyncio.create_task(faults.run())
        questions = drawn(requests, Random(seed))  # noqa: S311  # repeatable on purpose
        try:
            async with clients(stack.ports, prefix=prefix) as asking:
                asked = await _ask_all(asking, questions)
        finally:
            striking.cancel()
            with suppress(asyncio.CancelledError):
                await striking
        for gateway in stack.gateways:
            await asyncio.to_thread(await_workers, gateway)
        site.progress(f"{len(asked)} requests have ended, {len(faults.strikes)} kills: waiting for the ledger")
        rows = await _rows(stack, prefix, asked)
        after = engine_tokens(stack)
    return Result(
        asked=asked,
        strikes=faults.strikes,
        rows=rows,
        engine=EngineTokens(prompt=after.prompt - before.prompt, completion=after.completion - before.completion),
        seed=seed,
        leaves=sum(question.cancel_after_s is not None for question in questions),
    )


def drawn(requests: int, rng: Random) -> list[Question]:
    """Mostly streams, some answers in one piece, some clients who leave early."""
    questions = []
    for _ in range(requests):
        kind = rng.random()
        questions.append(
            Question(
                key=rng.choice(list(KEYS)),
                tokens=rng.randint(24, 96),
                streamed=kind < 0.85,
                cancel_after_s=rng.uniform(0.02, 0.8) if 0.7 <= kind < 0.9 else None,
            )
        )
    return questions


async def _ask_all(asking: Clients, questions: Sequence[Question]) -> list[Asked]:
    waiting = list(reversed(questions))
    asked: list[Asked] = []

    async def user() -> None:
        while waiting:
            one = await asking.ask(waiting.pop())
            asked.append(one)
            if one.end in (End.LOST, End.REFUSED):
                await asyncio.sleep(_AFTER_LOSS_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(USERS):
            group.create_task(user())
    return asked


async def _rows(stack: Stack, prefix: str, asked: Sequence[Asked]) -> list[Row]:
    owed = {one.request_id for one in asked if one.end is End.WHOLE or one.first_s is not None}
    return await rows_in_the_end(
        stack.stores.database_url,
        prefix,
        enough=lambda rows: owed <= {row.request_id for row in rows},
        quiet_s=_QUIET_S,
        within_s=_WITHIN_S,
    )


def engine_tokens(stack: Stack) -> EngineTokens:
    found = stack.engine.metrics()
    return EngineTokens(
        prompt=int(total(found, "vllm:prompt_tokens_total")),
        completion=int(total(found, "vllm:generation_tokens_total")),
    )
