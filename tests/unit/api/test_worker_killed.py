"""What is known of a call, should its worker be killed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from api.call import Call
from api.tenants.base import UsageRow
from serving.types import Held
from tests.unit.api.fakes import call
from tests.unit.api.house import House


async def test_what_waits_for_an_engine_with_money_set_aside_is_known_should_the_worker_be_killed() -> None:
    house, known = House(), list[UsageRow]()

    class OneDollar:
        async def reserve(self, call: Call, held: Held) -> None:  # noqa: ARG002 - the protocol's signature
            call.on_bill = lambda bill: None  # noqa: ARG005 - nobody is told

    class Looking:
        async def take(self, call: Call, held: Held) -> None:  # noqa: ARG002 - the protocol's signature
            known.extend(row for row, _ in house.ledger.under_way.values())

    pipeline = replace(house.pipeline, budgets=OneDollar(), turns=Looking())
    asked = call(journal=house.journal)
    reply = await pipeline.serve(asked)
    [row] = known
    assert (row.id, row.upstream, row.cost_usd, row.prompt_tokens) == (asked.ledger_id, "", Decimal(0), 0)
    reply.close()
    assert house.ledger.under_way == {}
    assert [one.upstream for one in house.ledger.rows] == [house.backend.name]
