"""docs/reference/errors.md has a row for every status and code that the gateway sends, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from api import errors
from api.errors import ApiError, RejectedByEngine

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/errors.md"
CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ApiError)}
CALLS = [
    node
    for path in (ROOT / "api").rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.Call)
]


def on_the_page() -> set[tuple[int, str]]:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = [(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)]
    assert len(listed) == len(rows) + sum(codes.count(",") for _, codes in rows)
    return set(listed)


def made_in_the_code() -> set[tuple[int, str]]:
    """Status and code of every error that is made somewhere in `api/`."""
    made = listed_in_the_code()
    for call in CALLS:
        kind = CLASSES.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if kind is None or kind is RejectedByEngine:
            continue
        code = next((keyword.value for keyword in call.keywords if keyword.arg == "code"), ast.Constant(kind.code))
        assert isinstance(code, ast.Constant), f"line {call.lineno}: a code that only a run can tell"
        if isinstance(code.value, str):
            made.add((kind.status, code.value))
    return made


def listed_in_the_code() -> set[tuple[int, str]]:
    """The same of those that a table says: `_Refusal(CLASS, PARAMETER, CODE)`."""
    listed = set()
    for call in CALLS:
        if isinstance(call.func, ast.Name) and call.func.id == "_Refusal":
            kind, _, code = call.args
            assert isinstance(kind, ast.Name), f"line {call.lineno}"
            assert isinstance(code, ast.Constant), f"line {call.lineno}: a code that only a run can tell"
            listed.add((CLASSES[kind.id].status, str(code.value)))
    assert listed, "the table has another name"
    return listed


def refused_by_the_protocol() -> set[tuple[int, str]]:
    """What the server answers to bytes that never become a request: `_refuse(STATUS, …)`."""
    statuses = {
        call.args[0].value
        for call in CALLS
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "_refuse"
        and isinstance(call.args[0], ast.Constant)
    }
    return {(status, "invalid_http") for status in statuses if isinstance(status, int)}


def test_every_error_has_its_row_and_every_row_its_error() -> None:
    assert refused_by_the_protocol() >= {(400, "invalid_http"), (431, "invalid_http")}
    assert on_the_page() == made_in_the_code() | refused_by_the_protocol()


def test_every_class_of_errors_is_made_somewhere() -> None:
    made = {call.func.id for call in CALLS if isinstance(call.func, ast.Name)}
    assert CLASSES.keys() - made == {"ApiError"}
