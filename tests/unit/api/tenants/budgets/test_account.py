"""What a worker knows of a tenant's month."""

from __future__ import annotations

from api.tenants.budgets.account import Account
from api.tenants.types import Budget


def test_the_ledger_is_a_floor_however_often_it_is_read() -> None:
    account = Account(tenant="finsight", month="2026-11", budget=Budget(1000), used_s=0.0)
    for tenth in range(300):
        account.learn_ledger(tenth, tenth / 10)
    assert account.ledger_sum() == 299
    # A sum counts when it is five seconds old; readings that are kept are a second apart.
    assert 235 <= account.floor(29.9, ready_s=0.0) <= 249


def test_the_ledger_is_no_floor_before_all_workers_have_told_redis() -> None:
    account = Account(tenant="finsight", month="2026-11", budget=Budget(1000), used_s=0.0)
    account.learn_ledger(70, 1.0)
    assert account.floor(10.0, ready_s=6.0) == -1
    assert account.floor(11.0, ready_s=6.0) == 70
