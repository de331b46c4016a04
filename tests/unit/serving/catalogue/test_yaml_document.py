from __future__ import annotations

from pathlib import Path

import pytest

from serving.catalogue.yaml_document import Document, YamlSyntaxError, dotted, read_yaml

ROOT = Path(__file__).resolve().parents[4]
SAMPLE = """\
# first line
top:
  - name: a

    price: {x: 1,
            y: 2}
  - name: b
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("top", 0), 3),
        (("top", 0, "name"), 3),
        (("top", 0, "price"), 5),
        (("top", 0, "price", "y"), 6),
        (("top", 1, "missing"), 7),
        (("top", 0, "price", "z", 3), 5),
    ],
)
def test_every_value_knows_its_line_and_a_missing_one_that_of_its_holder(
    path: tuple[str | int, ...], line: int
) -> None:
    assert read_yaml(SAMPLE).line(path) == line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8192", 8192),
        ("8_192", 8192),
        ("010", 10),
        ("-3", -3),
        ("0.13", 0.13),
        ("1.5e+3", 1500.0),
        (".inf", float("inf")),
        ("~", None),
        ("true", True),
        ("off", False),
        ("2026-11-21", "2026-11-21"),
        ("'8192'", "8192"),
        ("plain words", "plain words"),
        ("[1, [a]]", [1, ["a"]]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
    ],
)
def test_values_are_read_as_a_person_reads_them(text: str, value: object) -> None:
    document = read_yaml(text)
    assert document.findings == []
    assert document.value == value
    assert type(document.value) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("a: 1\nb: [\n", 3, "expected the node content"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed here"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 1\n", 2, "single document"),
        ("a:\n\x07", 2, "U\\+0007 is not allowed"),
        ('a:\n "\\U99999999"', 2, "out of range"),
        ("\n" + "[" * 50_000, 2, "nested more than 20 levels"),
        ("\n" + "[" * 30 + "]" * 30, 2, "nested more than 20 levels"),
        ("a: &a [*a]", 1, "nested more than 20 levels"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlSyntaxError, match=message) as caught:
        read_yaml(text)
    assert caught.value.line == line


def test_aliases_cannot_multiply_without_end() -> None:
    levels = [f"  l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 9)]
    with pytest.raises(YamlSyntaxError, match="more than 100000 values"):
        read_yaml("\n".join(["  l0: &l0 [x]", *levels]))


def found(text: str) -> list[tuple[int, str, str]]:
    document: Document = read_yaml(text)
    return [(f.line or document.line(f.path), dotted(f.path), f.message) for f in document.findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, "a", "is given twice, first in line 1")),
        ("a:\n  1: x\n", (2, "a", "has a field name that is not text")),
        ("[b]: x\n", (1, "", "has a field name that is not text")),
        ("a:\n  <<: {b: 1}\n", (2, "a", "has a merge key (<<): write the fields out")),
        ("a: !!set {b}\n", (1, "a", 'has a tag that is not supported here: "tag:yaml.org,2002:set"')),
        ("a: !secret b\n", (1, "a", 'has a tag that is not supported here: "!secret"')),
        ('a:\n  - "\\ud800"\n', (2, "a[0]", "holds half a character (a lone surrogate)")),
        ('"\\udfff": 1\n', (1, "", "has a field name with half a character (a lone surrogate)")),
    ],
)
def test_what_a_document_may_not_hold_is_found(text: str, expected: tuple[int, str, str]) -> None:
    assert found(text) == [expected]


@pytest.mark.parametrize("number", ["1:30", "!!int many", "!!float x"])
def test_numbers_in_a_guise_are_found(number: str) -> None:
    ((line, field, message),) = found(f"\na: {number}\n")
    assert (line, field) == (2, "a")
    assert "not a number that can be read" in message


def test_odd_keys_are_quoted_and_cut_in_paths() -> None:
    assert dotted(("models", 1, "upstreams", 0, "base_url")) == "models[1].upstreams[0].base_url"
    assert dotted(("a", "b\nc")) == 'a."b\\nc"'
    assert dotted(("é",)) == '"\\u00e9"'
    assert len(dotted(("x" * 5000,))) < 100


OURS = sorted(path for room in ("api", "rag", "serving") for path in (ROOT / room).rglob("*.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_what_comes_with_the_platform_reads_the_same_in_less_time(path: Path) -> None:
    text = path.read_text("utf-8")
    assert read_yaml(text, ours=True) == read_yaml(text)


def test_a_mistake_in_it_has_the_same_words() -> None:
    with pytest.raises(YamlSyntaxError, match="mapping values are not allowed here") as caught:
        read_yaml("a: 1\n b: 2\n", ours=True)
    assert caught.value.line == 2
