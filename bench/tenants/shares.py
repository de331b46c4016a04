"""What backlogged tenants get of a busy engine, by the ledger, against their weights."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.gateway import KEY
from bench.load import LoadError
from bench.tenants import loads
from bench.tenants.admin import KNOWN_EVERYWHERE_S, Admin
from bench.tenants.clients import Asked, End, Question, clients
from bench.tenants.ledger import Row, settled_rows
from bench.tenants.loads import Closed
from bench.tenants.site import Site
from bench.tenants.stack import EngineSize, Stack, running_stack

WEIGHTS: tuple[tuple[int, ...], ...] = ((1, 1), (1, 2, 4))
ENGINE = EngineSize(sequences=32, time_scale=3)
USERS = 48
"""Of each tenant: enough for all of them to wait at every worker, whatever the kernel gives to whom."""
# A token of an answer counts twice, one of a prompt that was computed once, as in the paper that the queue is after.
PROMPT_WEIGHT, ANSWER_WEIGHT = 1, 2
# Answers of different lengths, or a queue that counts requests would do as well.
LENGTHS = ((16, 16), (48, 16), (24, 40))
"""Of the tenants' answers, in tokens: at least, and up to so many more."""
_SETTINGS = {"LOG_LEVEL": "WARNING", "FAIR_QUEUE_TIMEOUT_S": "60"}
_WARM_UP_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of one tenant in one run: weighted tokens by the ledger."""

    weight: int
    tokens: int
    requests: int


@dataclass(frozen=True, kw_only=True)
class Run:
    weights: tuple[int, ...]
    shares: tuple[Share, ...]

    def deviations(self) -> list[float]:
        """How far each tenant's part is from its weight's, as a signed fraction of that."""
        tokens, weights = sum(one.tokens for one in self.shares), sum(self.weights)
        return [(one.tokens / tokens) / (one.weight / weights) - 1 for one in self.shares]


async def run(site: Site, *, rounds: int, seconds: float) -> list[Run]:
    """Raises ProcessError, ServiceError and LoadError."""
    found = []
    with running_stack(
        site.directory, cores=site.cores, keys={KEY: "bench"}, engine=ENGINE, settings=_SETTINGS
    ) as stack:
        for number in range(rounds):
            for weights in WEIGHTS:
                one = await _run(stack, weights, seconds=seconds, seed=number)
                shown = ", ".join(f"{deviation:+.1%}" for deviation in one.deviations())
                site.progress(f"round {number + 1} of {rounds}, weights {weights}: {shown}")
                found.append(one)
    return found


async def _run(stack: Stack, weights: Sequence[int], *, seconds: float, seed: int) -> Run:
    prefix = f"share-{secrets.token_hex(4)}"
    admin = Admin(stack.ports[0])
    keys = []
    for place, weight in enumerate(weights):
        await admin.create_tenant(f"{prefix}-{place}", weight=weight)
        keys.append((await admin.create_key(f"{prefix}-{place}"))[1])
    await asyncio.sleep(KNOWN_EVERYWHERE_S)
    async with clients(stack.ports, prefix=prefix, timeout_s=120) as asking:
        backlog = [
            Closed(users=USERS, question=Question(key=key, tokens=shortest, more_tokens=more))
            for key, (shortest, more) in zip(keys, LENGTHS, strict=False)
        ]
        heard = await loads.run(asking, backlog, seconds=_WARM_UP_S + seconds, seed=seed)
    asked = [one.asked for one in heard]
    rows = await _rows(stack, prefix, [one for many in asked for one in many])
    return Run(weights=tuple(weights), shares=tuple(_shares(weights, asked, rows, seconds)))


async def _rows(stack: Stack, prefix: str, asked: Sequence[Asked]) -> Mapping[str, Row]:
    if any(one.end is not End.WHOLE for one in asked):
        raise LoadError(f"not all were served: {sorted({(one.end, one.code) for one in asked})}")
    owed = {one.request_id for one in asked}
    found = await settled_rows(
        stack.stores.database_url, prefix, enough=lambda rows: owed <= {row.request_id for row in rows}, quiet_s=1
    )
    return {row.request_id: row for row in found}


def _shares(
    weights: Sequence[int], asked: Sequence[Sequence[Asked]], rows: Mapping[str, Row], seconds: float
) -> list[Share]:
    """Of what ended while all of them still asked: after that they are not backlogged any more."""
    end_s = min(max(one.due_s for one in many) for many in asked)
    begin_s = end_s - seconds
    shares = []
    for weight, many in zip(weights, asked, strict=True):
        billed = [rows[one.request_id] for one in many if begin_s <= one.ended_s < end_s]
        shares.append(Share(weight=weight, tokens=sum(map(_weighted, billed)), requests=len(billed)))
    return shares


def _weighted(row: Row) -> int:
    return (row.prompt_tokens - row.cached_tokens) * PROMPT_WEIGHT + row.completion_tokens * ANSWER_WEIGHT
