"""What docs/reference/rag.md shows of follow-ups and of a glossary is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.language.words import tokens_of
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "rag.md").read_text("utf-8")
FOLLOW_UPS = PAGE.partition("### Follow-ups")[2].partition("### ")[0]
[FIRST] = re.findall(r'^\| after "(.*)" \|', FOLLOW_UPS, re.MULTILINE)
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", FOLLOW_UPS, re.MULTILINE)[1:]


def test_the_table_was_found() -> None:
    assert len(ROWS) > 4


@pytest.mark.parametrize(("follow_up", "meaning"), ROWS)
def test_a_follow_up_is_understood_as_the_page_says(follow_up: str, meaning: str) -> None:
    assert RuleRewriter(load_glossary()).rewrite(follow_up, [FIRST]).text == meaning


def test_the_glossary_on_the_page_can_be_used(tmp_path: Path) -> None:
    [shown] = re.findall(r"```yaml\n(figures:.*?)```", PAGE, re.DOTALL)
    own = tmp_path / "glossary.yaml"
    own.write_text(shown, encoding="utf-8")
    text = "revenue, turnover, CAB"
    found = {span.standard for span in load_glossary(own).spans(text, tokens_of(text))}
    assert found == {"net sales", "staff turnover", "change advisory board"}
