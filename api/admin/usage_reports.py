"""What a terminal shows of usage and of the audit log: pure, from the admin API's answers to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.admin.tables import dollars, shown, table, with_more

_NUMBERS = {
    "requests": "requests",
    "prompt": "prompt_tokens",
    "cached": "cached_tokens",
    "completion": "completion_tokens",
    "saved": "saved_tokens",
}
_MAX_CHANGE_CHARS = 60


def usage_report(answer: Mapping[str, Any] | str) -> str:
    """CSV as it is, without its last line break: another is put there."""
    if isinstance(answer, str):
        return answer.rstrip("\r\n")
    groups: list[str] = answer["group_by"]
    columns = {
        **{name.replace("_", " "): name for name in groups},
        **_NUMBERS,
        "saved USD": "saved",
        "cost USD": "cost",
    }
    total = {**dict.fromkeys(groups, "*"), **answer["total"]}
    rows = [
        {**row, "saved": dollars(row["saved_usd"]), "cost": dollars(row["cost_usd"])}
        for row in [*answer["rows"], total]
    ]
    return f"{table(columns, rows, nothing='')}\n\n{answer['from']} to {answer['to']}, in UTC."


def usage_note(answer: Mapping[str, Any] | str) -> str:
    """What the sums may lack; "" if that is nothing."""
    if isinstance(answer, str) or answer["waiting_rows"] == 0:
        return ""
    if answer["waiting_rows"] is None:
        return "Nobody can say whether rows of the ledger are still on their way."
    return f"{answer['waiting_rows']:,} rows of the ledger are still on their way and not in these sums."


def audit_report(answer: Mapping[str, Any]) -> str:
    columns = {
        "id": "number",
        "at": "at",
        "by": "by",
        "action": "action",
        "subject": "subject",
        "outcome": "result",
        "change": "change",
    }
    rows = [
        {
            **entry,
            "number": str(entry["id"]),
            "at": entry["at"][:19],
            "by": entry["actor_name"] or entry["actor"],
            "result": entry["code"] or entry["outcome"],
            "change": _change(entry["before"], entry["after"]),
        }
        for entry in answer["entries"]
    ]
    text = table(columns, rows, nothing="There are no entries.")
    return with_more(text, "--before-id", answer["next_before_id"], what="older ones")


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What is another than before, shortened; `--json` has all of it."""
    old, new = before or {}, after or {}
    changes = [
        f"{name}: {shown(old.get(name))} -> {shown(new.get(name))}"
        for name in {**old, **new}
        if before and old.get(name) != new.get(name)
    ]
    text = ", ".join(changes)
    return text if len(text) <= _MAX_CHANGE_CHARS else f"{text[: _MAX_CHANGE_CHARS - 1]}…"
