"""When a call's money changes hands."""

from __future__ import annotations

from api.call import Caller
from api.tenants.budgets.redis_budgets import RedisBudgets
from api.tenants.budgets.worst_case import WorstCase
from api.tenants.off import CataloguePrices
from api.tenants.types import NANO_PER_USD, Budget
from serving.types import Held, Usage, WholeReply
from tests.integration.api.tenants.budgets.bank import TENANT, Bank
from tests.unit.api.fakes import catalogue, model, read_call


async def test_a_call_is_settled_with_its_bill_however_long_the_client_reads(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    offered, prices, held = catalogue(model("fast")), CataloguePrices(), Held()
    budgets = RedisBudgets(till=worker.till, worst_case=WorstCase(catalogue=offered, prices=prices), prices=prices)
    call = await read_call(offered=offered)
    call.caller = Caller(tenant=TENANT, key_id="key", windows=(), budget=Budget(NANO_PER_USD))
    call.ledger_id = "one"
    await budgets.reserve(call, held)
    assert bank.state("held") > 0
    call.served_model = call.model
    call.reply = WholeReply(upstream="near", body={}, usage=Usage(prompt_tokens=9, completion_tokens=3))
    cost = call.make_bill(prices.price_of).cost_nano
    assert cost > 0
    await bank.reaches(cost)
    held.release()
    assert await worker.take(1, NANO_PER_USD)
    await bank.reaches(cost, 1)


async def test_a_call_without_a_bill_is_settled_when_it_is_let_go(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    offered, prices, held = catalogue(model("fast")), CataloguePrices(), Held()
    budgets = RedisBudgets(till=worker.till, worst_case=WorstCase(catalogue=offered, prices=prices), prices=prices)
    call = await read_call(offered=offered)
    call.caller = Caller(tenant=TENANT, key_id="key", windows=(), budget=Budget(NANO_PER_USD))
    call.ledger_id = "one"
    await budgets.reserve(call, held)
    held.release()
    await bank.reaches(0)
