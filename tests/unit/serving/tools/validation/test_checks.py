from __future__ import annotations

from pathlib import Path

import pytest

from serving.tools.command_line import InputError
from serving.tools.validate_deployment import chosen_checks
from serving.tools.validation.runner import CHECKS

ROOT = Path(__file__).resolve().parents[5]
NAMES = [check.name for check in CHECKS]


def test_what_a_check_needs_comes_before_it() -> None:
    for position, check in enumerate(CHECKS):
        assert set(check.needs) <= set(NAMES[:position]), check.name


def test_the_reference_has_a_row_for_each() -> None:
    page = (ROOT / "docs/reference/serving-tools.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == NAMES


@pytest.mark.parametrize(
    ("only", "skip", "chosen"),
    [
        (None, [], NAMES),
        (None, ["logprobs", "health"], [name for name in NAMES if name not in ("logprobs", "health")]),
        (["health"], [], ["health"]),
        (["tool_call"], [], ["models", "completion", "tool_call"]),
        (["disconnect", "health"], [], ["health", "models", "stream", "disconnect"]),
        (["tool_call"], ["models"], ["completion", "tool_call"]),
    ],
)
def test_chosen_checks_bring_what_they_need(only: list[str] | None, skip: list[str], chosen: list[str]) -> None:
    assert [check.name for check in chosen_checks(only=only, skip=skip)] == chosen


def test_no_check_at_all_is_a_mistake() -> None:
    with pytest.raises(InputError, match="leave no check"):
        chosen_checks(only=["health"], skip=["health"])
