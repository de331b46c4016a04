from __future__ import annotations

from pathlib import Path

import pytest

from rag.language.words import tokens_of
from rag.rewriting.glossary import Glossary, GlossaryError, load_glossary


def found(glossary: Glossary, text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.standard) for span in glossary.spans(text, tokens_of(text))]


@pytest.mark.parametrize(
    ("text", "standard"),
    [
        ("the top-line", "revenue"),
        ("Bottom Line", "net income"),
        ("our opex", "operating expenses"),
        ("SG&A expenses", "selling, general and administrative expense"),
        ("the selling, general and administrative expense", "selling, general and administrative expense"),
        ("diluted EPS", "diluted earnings per share"),
        ("stockholders' equity", "shareholders' equity"),
        ("stockholders\u2019 equity", "shareholders' equity"),
        ("gross profit margins", "gross margin"),
        ("IT department", "information technology"),
        ("2FA", "multi-factor authentication"),
    ],
)
def test_names_are_found_in_their_usual_spellings(text: str, standard: str) -> None:
    assert [name for _, name in found(load_glossary(), text)][:1] == [standard]


@pytest.mark.parametrize("text", ["it is so", "a pip in the apple", "the po river", "bottom of the line"])
def test_what_is_spelled_otherwise_is_something_else(text: str) -> None:
    assert found(load_glossary(), text) == []


def test_the_longest_name_wins() -> None:
    assert found(load_glossary(), "earnings per share and net earnings") == [
        ("earnings per share", "earnings per share"),
        ("net earnings", "net income"),
    ]


def test_a_file_of_ones_own_wins_and_changes_the_version(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("figures:\n  staff turnover: [turnover, churn of staff]\nterms:\n  Big Red Book: [BRB]\n")
    glossary = load_glossary(own)
    assert found(glossary, "turnover in the BRB, not in a brb") == [
        ("turnover", "staff turnover"),
        ("BRB", "Big Red Book"),
    ]
    assert found(glossary, "opex") == [("opex", "operating expenses")]
    assert glossary.version != load_glossary().version
    assert load_glossary(own).version == glossary.version


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("figures: [a]", "own.yaml:1: figures must be `standard term: \\[other names\\]`"),
        ("terms:\n  a: b", "own.yaml:2: a must be a list of names"),
        ("terms:\n  a: [1]", "own.yaml:2: a must be a list of names"),
        ("words:\n  a: [b]", "own.yaml:1: 'words' is no section: use figures, terms, keep, loose"),
        ("terms:\n  a: ['?']", "'\\?' has no word in it"),
        ("terms:\n  a: [b]\n  a: [c]", "is given twice"),
        ("[", "own.yaml:1: is not YAML"),
        ("- a", "must have sections"),
        ("", "the file is empty"),
        ("keep: none", "own.yaml:1: keep must be a list of names"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, content: str, problem: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(content)
    with pytest.raises(GlossaryError, match=problem):
        load_glossary(own)


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_bytes(b"\xff\xfe\x00terms")
    with pytest.raises(GlossaryError, match="is not UTF-8 text"):
        load_glossary(tmp_path / "own.yaml")
    with pytest.raises(GlossaryError, match="cannot be read"):
        load_glossary(tmp_path / "none.yaml")
