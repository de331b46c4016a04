"""Tenants with little money while workers, Redis and Postgres are killed: what is spent, and what stays set aside."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

from bench.cores import Cores
from bench.tenants.admin import KNOWN_EVERYWHERE_S, Admin
from bench.tenants.clients import Asked, Clients, End, Question, clients
from bench.tenants.faults import Faults, Strike
from bench.tenants.ledger import Row, rows_in_the_end
from bench.tenants.purses import Purse, purse
from bench.tenants.race import EXHAUSTED, PRICE
from bench.tenants.stack import EngineSize, Stack, await_workers, running_stack

BUDGETS_USD = tuple(map(Decimal, ("0.30", "0.60", "1.20")))
"""Of each tenant."""
_USERS = 8
"""Of each tenant."""
_ENGINE = EngineSize(sequences=64, time_scale=4)
_MOST_TOKENS = 96
DEAREST = 40_000_000
"""More than one request can cost, in nano-dollars."""
_AFTER_REFUSAL_S = 0.1
_QUIET_S = 6.0
_WITHIN_S = 60.0
_REQUEST_TIMEOUT_S = 30
HOLD_S = _REQUEST_TIMEOUT_S + 60
"""What is set aside for a call comes back so long after it began, whatever became of its worker."""
LEASE_S = HOLD_S + 600
"""The same of what a worker has leased."""
_NOTHING = Purse(spent=0, held=0, leased=0, holds=())


@dataclass(kw_only=True)
class Payer:
    """A tenant of the drill. Money in nano-dollars."""

    tenant: str
    key: str
    budget: int
    asked: list[Asked] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    at_refusal: Purse = _NOTHING
    """When what was left did not hold another request."""
    purse: Purse = _NOTHING
    """When all had ended."""
    again: End = End.REFUSED
    """How a call ended after the budget had been raised once more."""

    @property
    def billed(self) -> int:
        return sum(row.cost_nano for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Result:
    payers: Sequence[Payer]
    strikes: Sequence[Strike]


async def run(*, seconds: float, seed: int, directory: Path, cores: Cores, progress: Callable[[str], None]) -> Result:
    """Kills for so many seconds. Raises ProcessError, ServiceError and LoadError."""
    settings = {"REQUEST_TIMEOUT_S": str(_REQUEST_TIMEOUT_S)}
    with running_stack(directory, cores=cores, keys={}, engine=_ENGINE, price=PRICE, settings=settings) as stack:
        payers = [await _payer(stack, budget_usd) for budget_usd in BUDGETS_USD]
        await asyncio.sleep(KNOWN_EVERYWHERE_S)
        faults = Faults(stack, seed=seed, progress=progress)
        striking = asyncio.create_task(faults.run())
        try:
            async with asyncio.TaskGroup() as group:
                for payer in payers:
                    group.create_task(_spend(stack, payer, seconds=seconds, seed=seed))
        finally:
            striking.cancel()
            with suppress(asyncio.CancelledError):
                await striking
        for gateway in stack.gateways:
            await asyncio.to_thread(await_workers, gateway)
        await asyncio.gather(*(_end(stack, payer) for payer in payers))
        for payer in payers:
            progress(_summary(payer))
    return Result(payers=payers, strikes=faults.strikes)


async def _payer(stack: Stack, budget_usd: Decimal) -> Payer:
    tenant, admin = f"squeeze-{secrets.token_hex(6)}", Admin(stack.ports[0])
    await admin.create_tenant(tenant)
    await admin.set_budget(tenant, str(budget_usd))
    _, key = await admin.create_key(tenant)
    return Payer(tenant=tenant, key=key, budget=int(budget_usd.scaleb(9)))


async def _spend(stack: Stack, payer: Payer, *, seconds: float, seed: int) -> None:
    rng = Random(f"{seed}-{payer.budget}")  # noqa: S311  # repeatable on purpose
    is_over = asyncio.Event()

    async def user(asking: Clients) -> None:
        while not is_over.is_set():
            one = await asking.ask(_drawn(payer.key, rng))
            payer.asked.append(one)
            if one.end in (End.LOST, End.REFUSED):
                await asyncio.sleep(_AFTER_REFUSAL_S)

    async with clients(stack.ports, prefix=payer.tenant) as asking, asyncio.TaskGroup() as group:
        for _ in range(_USERS):
            group.create_task(user(asking))
        await asyncio.sleep(seconds)
        is_over.set()


def _drawn(key: str, rng: Random) -> Question:
    """Streams and answers in one piece, and clients of both who leave early."""
    return Question(
        key=key,
        tokens=rng.randint(24, _MOST_TOKENS),
        streamed=rng.random() < 0.7,
        cancel_after_s=rng.uniform(0.02, 0.5) if rng.random() < 0.25 else None,
    )


async def _end(stack: Stack, payer: Payer) -> None:
    """What is left is spent, the books are closed, and the budget is raised once more."""
    async with clients(stack.ports, prefix=f"{payer.tenant}-rest") as asking:
        payer.asked += await _asked_until(asking, payer, lambda one: one.code == EXHAUSTED)
    payer.at_refusal = await asyncio.to_thread(purse, stack.stores.redis_url, payer.tenant)
    await _close_books(stack, payer)
    await Admin(stack.ports[-1]).set_budget(payer.tenant, str(Decimal(2 * payer.budget).scaleb(-9)))
    async with clients(stack.ports, prefix=f"again-{payer.tenant}") as asking:
        *_, last = await _asked_until(asking, payer, lambda one: one.end is End.WHOLE)
    payer.again = last.end


async def _asked_until(asking: Clients, payer: Payer, is_over: Callable[[Asked], bool]) -> list[Asked]:
    """The dearest question, one after the other."""
    deadline, found = time.monotonic() + _WITHIN_S, list[Asked]()
    while not (found and is_over(found[-1])) and time.monotonic() < deadline:
        if found and found[-1].end is not End.WHOLE:
            await asyncio.sleep(_AFTER_REFUSAL_S)
        found.append(await asking.ask(Question(key=payer.key, tokens=_MOST_TOKENS)))
    return found


async def _close_books(stack: Stack, payer: Payer) -> None:
    """When no row comes any more, and what Redis has does not change."""
    owed = {one.request_id for one in payer.asked if one.end is End.WHOLE or one.first_s is not None}
    payer.rows = await rows_in_the_end(
        stack.stores.database_url,
        payer.tenant,
        enough=lambda rows: owed <= {row.request_id for row in rows},
        quiet_s=_QUIET_S,
        within_s=_WITHIN_S,
    )
    payer.purse = await asyncio.to_thread(purse, stack.stores.redis_url, payer.tenant)


def _summary(payer: Payer) -> str:
    purse = payer.purse
    return (
        f"{payer.tenant}: {len(payer.asked)} requests, {len(payer.rows)} rows; ledger {payer.billed:,}, Redis "
        f"{purse.spent:,} spent and {sum(hold.nano for hold in purse.of_calls):,} + {purse.leased:,} set aside"
    )
