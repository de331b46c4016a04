from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from api.cache.canonical import canonical_form
from api.cache.slots.parser import SlotParser
from api.cache.slots.text.tokens import tokenize
from api.cache.slots.words.lexicon import Lexicon
from api.cache.slots.words.lexicon_file import LexiconError, NameEntry, read_lexicon_file

OWN = """
entities:
  larkspur:
    names: [Larkspur Holdings, Larkspur]
    tickers: [LKSP]
metrics:
  cost-per-parcel:
    kind: ratio
    names: [cost per parcel, CPP]
  revenue:
    names: [incomings]
synonyms:
  parcel: [parcel, package]
soft: [ballpark]
stop: [ahoy]
"""


def load(tmp_path: Path, text: str) -> Lexicon:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return Lexicon.load(path)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(LexiconError) as caught:
        load(tmp_path, text)
    return "\n".join(caught.value.problems)


def names_of(section: str) -> dict[str, list[NameEntry]]:
    folder = Path(__file__).parents[6] / "api/cache/slots/lexicon"
    found = defaultdict(list)
    for path in sorted(folder.glob("*.yaml")):
        for entry in read_lexicon_file(path, own=False).names:
            if entry.section == section:
                found[entry.value].append(entry)
    return found


def test_every_name_of_a_metric_means_that_metric_and_no_other(parser: SlotParser) -> None:
    keys: dict[bytes | None, str] = {None: "nothing"}
    for metric, entries in names_of("metrics").items():
        for entry in entries:
            if not entry.name.startswith("to "):
                slots = parser.parse(f"What was Nvidia's {entry.name} in 2023?")
                assert [found.removesuffix(":one") for found in slots.metrics] == [metric], entry
                assert keys.setdefault(canonical_form(slots), metric) == metric, entry
    assert len(set(keys.values())) > 380


@pytest.mark.parametrize("template", ["Who is the CEO of {}?", "How much did {} spend on R&D in 2023?"])
def test_every_name_of_an_entity_means_that_entity_and_no_other(parser: SlotParser, template: str) -> None:
    keys: dict[bytes | None, str] = {None: "nothing"}
    ticker_words = {entry.name for entries in names_of("ticker_words").values() for entry in entries}
    for entity, entries in names_of("entities").items():
        for entry in entries:
            # A brand, and a ticker that is a word, stand for the company only beside figures; advertising spend is one.
            is_word = entry.group == "brands" or (entry.group == "tickers" and entry.name in ticker_words)
            if entry.name != "advertising" and ("R&D" in template or not is_word):
                slots = parser.parse(template.format(entry.name))
                assert [name.split(":")[-1] for name in slots.entities] == [entity], entry
                assert keys.setdefault(canonical_form(slots), entity) == entity, entry
    assert len(set(keys.values())) > 500


@pytest.mark.parametrize(
    ("written", "entities"),
    [
        ("What is the gap in revenue?", ()),
        ("What is Gap's revenue?", ("gap",)),
        ("What was the revenue of Target in 2023?", ("target",)),
        ("what was the target revenue in 2023", ()),
        ("Who is the CEO of Visa?", ("visa",)),
        ("Visa vs Mastercard revenue 2023", ("mastercard", "visa")),
        ("Do I need a target?", ()),
        ("What is the cost of revenue of Nike?", ("nike",)),
        ("What is the revenue of COST?", ("costco",)),
        ("what is msft net income for fy 2023", ("microsoft",)),
        ("$T revenue 2023", ("att",)),
        ("T's revenue in 2023", ("att",)),
        ("What was BP's revenue in 2023?", ("bp",)),
        ("Revenue in the US of Nike", ("geography:us", "nike")),
        ("Tell us the revenue of Nike", ("nike",)),
        ("What was Apple Hospitality's revenue?", ("name:apple hospitality",)),
        ("What was Northwind Robotics' revenue?", ("name:northwind robotics",)),
        ("Northwind Robotics revenue Q3 2024", ("name:northwind robotics",)),
    ],
)
def test_case_and_context_tell_names_from_words(parser: SlotParser, written: str, entities: tuple[str, ...]) -> None:
    assert parser.parse(written).entities == entities


@pytest.mark.parametrize(
    "written", ["Target revenue of Apple in 2023", "WHAT IS THE COST OF APPLE", "Target rules in 2023"]
)
def test_what_could_be_a_name_or_a_word_has_no_canonical_key(parser: SlotParser, written: str) -> None:
    slots = parser.parse(written)
    assert any("could be a name or a word" in problem for problem in slots.problems)
    assert canonical_form(slots) is None


def test_the_users_own_words_count_beside_those_that_come_with_it(tmp_path: Path) -> None:
    parser = SlotParser(load(tmp_path, OWN))
    own = parser.parse("What was Larkspur's cost per parcel in 2023?")
    assert (own.entities, own.metrics) == (("larkspur",), ("cost-per-parcel",))
    assert canonical_form(parser.parse("LKSP CPP 2023")) == canonical_form(own)
    assert canonical_form(parser.parse("Apple incomings 2023")) == canonical_form(parser.parse("Apple revenue 2023"))
    assert parser.parse("ballpark Apple revenue 2023").soft == ("ballpark",)
    assert canonical_form(parser.parse("Ahoy, Apple revenue 2023")) == canonical_form(
        parser.parse("Apple revenue 2023")
    )


def test_the_version_changes_with_the_words(tmp_path: Path) -> None:
    versions = {SlotParser(lexicon).version for lexicon in (Lexicon.load(), load(tmp_path, OWN), Lexicon.load())}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entities: {x: {names: [Apple]}}", "own.yaml:1: 'Apple' means entities.apple already"),
        ("metrics:\n  x:\n    names: [net income]", "own.yaml:3: 'net income' means metrics.net-income already"),
        ("metrics: {x: {names: [a], colour: red}}", "metrics.x.colour: is no field of metrics: use kind, names"),
        ("metrics: {x: {kind: odd, names: [a b]}}", "metrics.x.kind: must be one of flow, expense, payment"),
        ("metrics: {revenue: {kind: ratio}}", "metrics.revenue.kind: is flow already, not ratio"),
        ("grammar: {question: {what: [whatever]}}", "grammar: is no section of a lexicon: use entities, metrics"),
        ("soft: plain", "soft: must be a list of names"),
        ("soft: [1]", "soft[0]: must be a text of 1 to 100 characters"),
        ("soft: ['?']", "'?' has no word in it"),
        ("soft: [a\n", "is not YAML"),
        ("- a", "must be a mapping of names to values"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    assert message in problems(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match=r"gone\.yaml' cannot be read: No such file"):
        Lexicon.load(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"soft:\n- caf\xe9\n")
    with pytest.raises(LexiconError, match=r"latin\.yaml:2: is not UTF-8 text"):
        Lexicon.load(tmp_path / "latin.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * 1_048_577)
    with pytest.raises(LexiconError, match="is larger than 1048576 bytes"):
        Lexicon.load(tmp_path / "big.yaml")


def test_names_with_signs_survive_the_tokenizer() -> None:
    for section in ("entities", "metrics"):
        for entries in names_of(section).values():
            assert all(tokenize(entry.name) for entry in entries)


def test_the_example_of_the_reference_page_loads_and_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[6] / "docs/reference/cache-lexicon.md").read_text(encoding="utf-8")
    parser = SlotParser(load(tmp_path, page.split("```yaml\n")[1].split("```")[0]))
    asked = parser.parse("Did LKSP's CPP swell in the Beacon sorting hub?")
    assert (asked.entities, asked.metrics, asked.directions) == (
        ("larkspur", "segment:beacon"),
        ("cost-per-parcel",),
        ("up",),
    )
    same = parser.parse("Did Larkspur Holdings' cost per parcel rise in the Beacon depot?")
    assert canonical_form(same) == canonical_form(asked)


def test_a_fiscal_year_is_the_calendar_year_where_the_lexicon_says_so(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN + "calendar_years: [larkspur]\n", encoding="utf-8")
    parser = SlotParser(Lexicon.load(path))
    asked = {year: parser.parse(f"Larkspur Holdings revenue {year}").periods for year in ("FY2023", "CY2023", "2023")}
    assert set(asked.values()) == {("2023",)}


def test_only_entities_can_have_calendar_years(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("calendar_years: [nobody]\n", encoding="utf-8")
    with pytest.raises(LexiconError, match="'nobody' is no key of entities"):
        Lexicon.load(path)
