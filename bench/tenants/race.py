"""Many clients at once on a budget of some cents, through every worker of both gateways."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bench.gateway import KEY
from bench.load import LoadError
from bench.tenants.admin import KNOWN_EVERYWHERE_S, Admin
from bench.tenants.clients import Asked, Clients, End, Question, clients
from bench.tenants.ledger import Row, settled_rows
from bench.tenants.site import Site
from bench.tenants.stack import GATEWAYS, EngineSize, ModelPrice, running_stack

# Dear enough for a request to cost more than a cent. Prompts are cheap: what is set aside for one is a bound, many
# times what it costs, and "one request" shall mean what one costs.
PRICE = ModelPrice(prefill=1.0, decode=400.0, cached=0.1)
BUDGET_USD = Decimal("0.50")
CLIENTS = 48
EXHAUSTED = "insufficient_quota"
_TOKENS = 32
_MOST_EACH = 40
_MOST_AFTERWARDS = 60


@dataclass(frozen=True, kw_only=True)
class Round:
    """Money in US dollars."""

    budget_usd: Decimal
    spent_usd: Decimal
    dearest_usd: Decimal
    """Of the requests."""
    whole: int
    exhausted: int
    other: int
    """Requests that ended in any other way."""
    retry_forbidden: int
    """Of the refusals: those that say `x-should-retry: false`."""

    @property
    def left_in_requests(self) -> float:
        return float((self.budget_usd - self.spent_usd) / self.dearest_usd)


async def run(site: Site, *, rounds: int) -> list[Round]:
    """Raises ProcessError, ServiceError and LoadError."""
    engine = EngineSize(sequences=64, time_scale=20)
    with running_stack(site.directory, cores=site.cores, keys={KEY: "bench"}, engine=engine, price=PRICE) as stack:
        found = []
        for number in range(rounds):
            round_ = await race(stack.ports, stack.stores.database_url, through=stack.ports[number % GATEWAYS])
            site.progress(f"round {number + 1} of {rounds}: spent {round_.spent_usd} of {round_.budget_usd} USD")
            found.append(round_)
    return found


async def race(
    ports: Sequence[int],
    database_url: str,
    *,
    through: int,
    budget_usd: Decimal = BUDGET_USD,
    at_once: int = CLIENTS,
) -> Round:
    """One round, of a new tenant that is made `through` the gateway at that port. Raises LoadError."""
    tenant = f"race-{secrets.token_hex(6)}"
    admin = Admin(through)
    await admin.create_tenant(tenant)
    await admin.set_budget(tenant, str(budget_usd))
    _, key = await admin.create_key(tenant)
    question = Question(key=key, tokens=_TOKENS)
    async with clients(ports, prefix=tenant) as asking:
        await asyncio.sleep(KNOWN_EVERYWHERE_S)
        asked = [one for many in await _all_at_once(asking, question, at_once) for one in many]
        # What was settled meanwhile may have left room for one more.
        for _ in range(_MOST_AFTERWARDS):
            asked.append(await asking.ask(question))
            if _exhausted(asked[-1]):
                break
    rows = await _rows(database_url, tenant, asked)
    return Round(
        budget_usd=budget_usd,
        spent_usd=Decimal(sum(row.cost_nano for row in rows)).scaleb(-9),
        dearest_usd=Decimal(max(row.cost_nano for row in rows)).scaleb(-9),
        whole=sum(one.end is End.WHOLE for one in asked),
        exhausted=sum(map(_exhausted, asked)),
        other=sum(one.end is not End.WHOLE and not _exhausted(one) for one in asked),
        retry_forbidden=sum(_exhausted(one) and one.retry_forbidden for one in asked),
    )


async def _all_at_once(asking: Clients, question: Question, at_once: int) -> list[list[Asked]]:
    async def client() -> list[Asked]:
        asked: list[Asked] = []
        while len(asked) < _MOST_EACH and not (asked and _exhausted(asked[-1])):
            asked.append(await asking.ask(question))
        return asked

    return await asyncio.gather(*(client() for _ in range(at_once)))


async def _rows(database_url: str, prefix: str, asked: Sequence[Asked]) -> list[Row]:
    owed = {one.request_id for one in asked if one.end is End.WHOLE}
    rows = await settled_rows(
        database_url,
        prefix,
        enough=lambda rows: owed <= {row.request_id for row in rows},
        quiet_s=1.5,
    )
    if not rows:
        raise LoadError("nothing was spent")
    return rows


def _exhausted(one: Asked) -> bool:
    return one.end is End.REFUSED and one.code == EXHAUSTED
