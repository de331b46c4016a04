"""The load deck, the conversations and the seed: their figures come out of the ledger as those of the questions do."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from rag.finsight.companies import COMPANIES
from rag.finsight.files import DATA
from rag.finsight.questions import Fact, facts
from serving.mock_llm.answers import answer
from serving.mock_llm.prompts import Turn
from tests.unit.rag.finsight.reading_room import LEDGER, gold_label, prompt, reading_list
from tests.unit.rag.finsight.recomputation import computed, step_of, value_of


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


DECK = lines("load_deck.jsonl")
CONVERSATIONS = lines("followups.jsonl")
TURNS = [turn for conversation in CONVERSATIONS for turn in conversation["turns"]]
with (DATA / "pgvector_seed.csv").open(encoding="utf-8", newline="") as file:
    SEED = list(csv.DictReader(file))
CORPUS = {path.name: path.read_text("utf-8") for path in (DATA / "corpus").glob("*.md")}
BY_EVIDENCE: dict[str, Fact] = {fact.evidence: fact for fact in facts(LEDGER)}
BY_ID = {row["id"]: row for row in DECK}


@pytest.mark.parametrize("row", [*DECK, *TURNS], ids=lambda row: row.get("id") or row["standalone"])
def test_every_gold_figure_stands_in_its_source_and_comes_out_of_the_ledger(row: dict[str, Any]) -> None:
    assert CORPUS[row["source"]].count(row["evidence"]) == 1
    for text in (row["evidence"], row["answer"]):
        assert re.search(rf"(?<![\d.,$€-]){re.escape(row['gold'])}(?![\d%])", text)
    fact = BY_EVIDENCE[row["evidence"]]
    exact = computed(LEDGER, fact.company, fact.metric.derivation(fact.view))
    for number, shown in zip(exact, value_of(row["gold"]), strict=True):
        step = step_of(row["gold"])
        assert abs(shown - number) <= (step / 2 if step < 1 else 0)


def test_the_deck_has_fifty_prompts_of_four_kinds() -> None:
    assert Counter(row["kind"] for row in DECK) == {
        "original": 20,
        "paraphrase": 12,
        "repeat": 8,
        "hard_negative": 10,
    }
    assert [row["id"] for row in DECK] == [f"p{number:02}" for number in range(1, 51)]
    assert len({BY_EVIDENCE[row["evidence"]].company for row in DECK if row["kind"] == "original"}) == 10


def test_originals_come_before_what_is_made_of_them() -> None:
    for place, row in enumerate(DECK):
        if row["kind"] == "original":
            assert row["of"] is None
        else:
            assert BY_ID[row["of"]]["kind"] == "original"
            assert BY_ID[row["of"]] in DECK[:place]


@pytest.mark.parametrize("row", [row for row in DECK if row["of"]], ids=lambda row: row["id"])
def test_what_is_made_of_an_original_is_what_it_is_called(row: dict[str, Any]) -> None:
    original = BY_ID[row["of"]]
    here, there = BY_EVIDENCE[row["evidence"]], BY_EVIDENCE[original["evidence"]]
    match row["kind"]:
        case "repeat":
            assert row["prompt"] == original["prompt"]
            assert row["evidence"] == original["evidence"]
        case "paraphrase":
            assert row["prompt"] != original["prompt"]
            assert row["evidence"] == original["evidence"]
        case _:
            differing = {
                "company": here.company != there.company,
                "metric": here.metric.key != there.metric.key,
                "year": here.period.year != there.period.year,
                "quarter": here.period.quarter != there.period.quarter,
            }
            assert [slot for slot, differs in differing.items() if differs] == [row["slot"]]
            assert row["gold"] != original["gold"]
            assert row["prompt"] != original["prompt"]


def test_hard_negatives_differ_in_every_slot_and_in_the_names_that_are_nearest() -> None:
    assert {row["slot"] for row in DECK if row["kind"] == "hard_negative"} == {"quarter", "year", "company", "metric"}
    pairs = [
        {BY_EVIDENCE[row["evidence"]].company.name, BY_EVIDENCE[BY_ID[row["of"]]["evidence"]].company.name}
        for row in DECK
        if row["slot"] == "company"
    ]
    assert {"Quillhaven Foods", "Quillhaven Freight"} in pairs


def test_there_are_forty_conversations_of_two_or_three_turns() -> None:
    assert [conversation["id"] for conversation in CONVERSATIONS] == [f"c{number:02}" for number in range(1, 41)]
    assert {len(conversation["turns"]) for conversation in CONVERSATIONS} == {2, 3}
    later = [turn["user"] for conversation in CONVERSATIONS for turn in conversation["turns"][1:]]
    for wanted in (r"\bQ[1-4]\?", r"And its ", r"a year earlier\?", r"quarter before\?", r"(full|whole) year\?"):
        assert any(re.search(wanted, text) for text in later), wanted
    assert any(company.name in text for company in COMPANIES for text in later)
    assert any(company.ticker in text for company in COMPANIES for text in later)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation["id"])
def test_each_turn_asks_for_something_new_and_needs_those_before_it(conversation: dict[str, Any]) -> None:
    turns = conversation["turns"]
    assert len({turn["gold"] for turn in turns}) == len(turns)
    for before, now in pairwise(turns):
        changed = [slot for slot in ("company", "metric", "period") if before[slot] != now[slot]]
        assert 1 <= len(changed) <= 2
        # "And its net income?" after growth might be about how that grew.
        assert "metric" not in changed or "growth" not in before["metric"]
        # The words of what stays the same are missing.
        for slot in {"company", "metric"} - set(changed):
            assert now[slot].casefold() not in now["user"].casefold()


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn["standalone"])
def test_the_standalone_wording_is_complete_and_is_answered(turn: dict[str, Any]) -> None:
    fact = BY_EVIDENCE[turn["evidence"]]
    assert (turn["company"], turn["metric"], turn["period"]) == (
        fact.company.name,
        fact.metric.name,
        str(fact.period),
    )
    for part in (turn["company"], turn["metric"], turn["period"].replace("FY", "fiscal ")):
        assert part in turn["standalone"]
    sections = reading_list(fact)
    said = answer([Turn("user", prompt(turn["standalone"], sections))])
    assert said == f"{turn['evidence']} [{gold_label(fact, sections)}]"


def test_the_seed_has_ten_sentences_of_each_company() -> None:
    assert [row["id"] for row in SEED] == [f"s{number:03}" for number in range(1, 101)]
    assert Counter(row["ticker"] for row in SEED) == {company.ticker: 10 for company in COMPANIES}
    assert len({row["text"] for row in SEED}) == 100
    for row in SEED:
        fact = BY_EVIDENCE[row["text"]]
        assert (row["company"], row["period"], row["metric"]) == (
            fact.company.name,
            str(fact.period),
            fact.metric.name,
        )
