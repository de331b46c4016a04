"""All 200 questions: their figures come out of the ledger, and their evidence stands in the corpus."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

from rag.finsight.files import DATA
from rag.finsight.ledger import build
from rag.finsight.questions import COUNTS
from tests.unit.rag.finsight.recomputation import BY_NAME, computed, step_of, value_of

LEDGER = build()
with (DATA / "qa.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
CORPUS = {path.name: path.read_text("utf-8") for path in (DATA / "corpus").glob("*.md")}
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])


@EVERY
def test_the_figure_comes_out_of_the_ledger(row: dict[str, str]) -> None:
    exact = computed(LEDGER, BY_NAME[row["company"]], row["derivation"])
    printed = value_of(row["figure"])
    assert len(exact) == len(printed)
    for number, shown in zip(exact, printed, strict=True):
        step = step_of(row["figure"])
        if step == 1:
            assert shown == number  # amounts are not rounded at all
        else:
            off = abs(shown - number)
            assert off < step / 2 or (off == step / 2 and abs(shown) > abs(number))


def test_the_derivation_is_of_the_row_s_company_and_period() -> None:
    for row in ROWS:
        named = re.findall(r"\[([^\]]+)\]", row["derivation"])
        if row["kind"] == "guidance":
            assert row["period"] not in named, row["id"]  # it was given a quarter before
        else:
            assert row["period"] in named, row["id"]
            assert set(named) == {row["period"]} or row["kind"] in {"growth", "annual"}, row["id"]
        assert row["source"].startswith(row["company"].lower().replace(" ", "-")), row["id"]


@EVERY
def test_the_evidence_stands_in_its_document_and_holds_the_figure(row: dict[str, str]) -> None:
    assert CORPUS[row["source"]].count(row["evidence"]) == 1
    figure = rf"(?<![\d.,$€-]){re.escape(row['figure'])}(?![\d%])"
    assert re.search(figure, row["evidence"])
    assert re.search(figure, row["answer"])
    company = BY_NAME[row["company"]]
    assert company.label in row["evidence"]
    assert row["period"].replace("FY", "fiscal ") in row["evidence"]
    assert row["answer"].endswith(".")


def test_the_evidence_stands_in_no_other_document() -> None:
    for row in ROWS:
        assert [name for name, text in CORPUS.items() if row["evidence"] in text] == [row["source"]], row["id"]


def test_the_question_names_its_company() -> None:
    for row in ROWS:
        company = BY_NAME[row["company"]]
        for question in (row["question"], row["standard_question"]):
            assert any(name in question for name in (company.short_name, company.ticker)), row["id"]


def test_there_are_two_hundred_different_questions() -> None:
    assert len(ROWS) == len({row["question"].casefold() for row in ROWS}) == 200
    assert len({(row["company"], row["metric"], row["period"], row["kind"]) for row in ROWS}) == 200
    assert Counter(row["kind"] for row in ROWS) == COUNTS
    assert [row["id"] for row in ROWS] == [f"q{number:03}" for number in range(1, 201)]


def test_they_are_spread_over_companies_and_periods_and_worded_in_many_ways() -> None:
    assert all(15 <= count <= 25 for count in Counter(row["company"] for row in ROWS).values())
    periods = Counter(row["period"] for row in ROWS)
    assert all(periods[f"Q{quarter} {year}"] >= 15 for quarter in (1, 2, 3, 4) for year in (2023, 2024))
    questions = " ".join(row["question"] for row in ROWS)
    for wording in ("top line", "bottom line", "opex", "COGS", "YoY", "third quarter of", "FY24", "2Q24", "Q3 2024"):
        assert wording in questions
    assert sum(row["question"] != row["standard_question"] for row in ROWS) >= 100
    assert any(BY_NAME[row["company"]].ticker in row["question"] for row in ROWS)
