"""docs/reference/semantic-cache.md lists every reason that the log may give, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/semantic-cache.md").read_text("utf-8")
# Where `cache_reason` comes from: functions that return one, and what is assigned to it.
MODULES = [ROOT / "api/cache/cacheability.py", ROOT / "api/cache/semantic_cache.py"]


def reasons_in_the_code() -> set[str]:
    found: set[str] = set()
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            match node:
                case ast.Return(value=ast.Constant(value=str(word))):
                    found.add(word)
                case ast.Assign(targets=[ast.Attribute(attr="cache_reason")], value=ast.Constant(value=str(word))):
                    found.add(word)
                case ast.keyword(arg="reason", value=ast.Constant(value=str(word))):
                    found.add(word)
                case ast.keyword(arg="reason", value=ast.IfExp(body=ast.Constant(value=str(word)))):
                    found.add(word)
    return found


def reasons_on_the_page() -> set[str]:
    table = PAGE.partition("| `cache_reason` | tiers |")[2].partition("\n\n")[0]
    return set(re.findall(r"`(\w+)`", table))


def test_the_page_lists_every_reason_and_no_other() -> None:
    assert len(reasons_in_the_code()) > 10
    assert reasons_on_the_page() == reasons_in_the_code()
