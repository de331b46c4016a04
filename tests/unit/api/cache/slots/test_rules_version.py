from __future__ import annotations

from pathlib import Path

import pytest

from api.cache.slots.parser import SlotParser
from api.cache.slots.rules_version import digest_of, rules_version
from api.cache.slots.words.lexicon import Lexicon


def version_of(folder: Path) -> str:
    return digest_of(list(folder.iterdir()))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("one")
    (tmp_path / "b.py").write_text("two")
    return tmp_path


def test_any_change_of_a_rule_is_another_version(rules: Path) -> None:
    seen = {version_of(rules)}
    for name, content in (("a.py", "One"), ("b.py", ""), ("c.py", "")):
        (rules / name).write_text(content)
        seen.add(version_of(rules))
    (rules / "c.py").rename(rules / "d.py")
    seen.add(version_of(rules))
    assert len(seen) == 5


def test_what_is_no_rule_changes_nothing(rules: Path) -> None:
    before = version_of(rules)
    (rules / "__pycache__").mkdir()
    (rules / "a.pyc").write_text("compiled")
    assert version_of(rules) == before
    assert digest_of(list(rules.iterdir())[::-1]) == before


def test_without_sources_there_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="sources of the rules"):
        version_of(tmp_path)


def test_answers_of_other_rules_are_not_found() -> None:
    """The parser's version is part of every scope."""
    lexicon = Lexicon.load(None)
    assert SlotParser(lexicon).version == f"{rules_version()}-{lexicon.digest}"
