"""What a terminal shows of tenants, keys, limits, budgets, prices, usage and the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from api.admin.tables import dollars
from api.admin.tenant_reports import (
    budget_report,
    budgets_report,
    issued_key_note,
    keys_report,
    limits_report,
    prices_report,
    tenants_report,
)
from api.admin.usage_reports import audit_report, usage_note, usage_report

SUMS: dict[str, Any] = {
    "requests": 1234,
    "prompt_tokens": 5,
    "cached_tokens": 0,
    "completion_tokens": 6,
    "saved_tokens": 0,
    "saved_usd": "0",
    "cost_usd": "1234.500000001",
}
USAGE: dict[str, Any] = {
    "from": "2026-11-01",
    "to": "2026-11-30",
    "group_by": ["tenant", "cache_tier"],
    "waiting_rows": 0,
    "rows": [{"tenant": "a", "cache_tier": "", **SUMS}],
    "total": SUMS,
}
ENTRY: dict[str, Any] = {
    "id": 7,
    "at": "2026-11-22T01:02:03.456789Z",
    "actor": "0123456789abcdef",
    "actor_name": "",
    "action": "tenant.change",
    "subject": "a",
    "outcome": "done",
    "code": "",
    "before": {"weight": 1.0, "lane": "batch"},
    "after": {"weight": 2.0, "lane": "batch"},
}


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("12.500000000", "12.50"),
        ("0", "0.00"),
        ("0.000000001", "0.000000001"),
        ("1234567", "1,234,567.00"),
        (None, "-"),
    ],
)
def test_amounts_have_cents_and_all_there_is_below_them(amount: str | None, text: str) -> None:
    assert dollars(amount) == text


def test_nothing_yet_says_what_to_do() -> None:
    assert "tenants create" in tenants_report({"tenants": []})
    assert "keys create" in keys_report({"keys": [], "next_after": None})
    assert "no limits" in limits_report({"limits": [], "next_skip": None})
    assert "No tenant has a budget" in budgets_report({"month": "2026-11", "budgets": []})
    assert "models file" in prices_report({"prices": []})
    assert audit_report({"entries": [], "next_before_id": None}) == "There are no entries."


def test_names_cannot_steer_the_terminal() -> None:
    tenant = {"name": "a\x1b[2J", "weight": 1.0, "lane": "batch", "disabled_at": None, "created_at": "2026"}
    assert "a?[2J" in tenants_report({"tenants": [tenant]})
    assert "\x1b" not in tenants_report({"tenants": [tenant]})


def test_more_keys_and_entries_are_said() -> None:
    assert keys_report({"keys": [{"id": "k"}], "next_after": "k"}).endswith("--after k")
    assert limits_report({"limits": [{"tenant": "a"}], "next_skip": 1000}).endswith("--skip 1000")
    assert audit_report({"entries": [ENTRY], "next_before_id": 7}).endswith("--before-id 7")


def test_a_rotated_key_says_what_it_stands_in_for() -> None:
    note = issued_key_note({"key": {"id": "k2", "tenant": "a", "replaces": "k1"}, "secret": "sk-x"})
    assert note.startswith("Key k2 of a, in place of k1.")
    assert "sk-x" not in note


def test_a_budget_that_nobody_can_tell_the_state_of() -> None:
    row = {"tenant": "a", "amount_usd": "5", "soft_share": 0.8}
    away = {"spent_usd": None, "set_aside_usd": None, "left_usd": None}
    text = budgets_report({"month": "2026-11", "budgets": [row | away]})
    assert text.splitlines()[2].split() == ["a", "5.00", "-", "-", "-", "0.8"]
    assert budget_report(row) == "a may spend 5.00 USD a month."


def test_usage_ends_with_its_total() -> None:
    lines = usage_report(USAGE).splitlines()
    assert lines[0].split()[:3] == ["tenant", "cache", "tier"]
    assert lines[2].split() == ["a", "-", "1,234", "5", "0", "6", "0", "0.00", "1,234.500000001"]
    assert lines[3].split()[:2] == ["*", "*"]
    assert lines[-1] == "2026-11-01 to 2026-11-30, in UTC."


def test_a_reader_is_told_what_the_sums_lack() -> None:
    assert usage_note(USAGE) == ""
    assert "1,200 rows" in usage_note(USAGE | {"waiting_rows": 1200})
    assert "Nobody can say" in usage_note(USAGE | {"waiting_rows": None})


def test_the_audit_log_shows_what_became_another() -> None:
    refused = ENTRY | {"id": 8, "actor_name": "Zoë", "outcome": "refused", "code": "tenant_exists", "before": None}
    lines = audit_report({"entries": [refused, ENTRY], "next_before_id": None}).splitlines()
    assert "Zoë" in lines[2]
    assert "tenant_exists" in lines[2]
    assert "weight: 1 -> 2" in lines[3]
    assert "lane" not in lines[3]
    assert "2026-11-22T01:02:03 " in lines[3]
