"""FinSight's questions and documents, as `rag/finsight/data` has them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateway import REPOSITORY

DATA = REPOSITORY / "rag" / "finsight" / "data"
QUESTIONS, DECK, PARAPHRASES, FOLLOW_UPS = "questions", "deck", "paraphrases", "follow-ups"
GROUPS = (QUESTIONS, DECK, PARAPHRASES, FOLLOW_UPS)


class DataError(Exception):
    """A row says something of a document that is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with the figure that answers it, and where that stands."""

    group: str
    id: str
    question: str
    figure: str
    source: str
    """The document's file name."""
    evidence: str
    """A sentence of that document with the figure in it."""
    earlier: tuple[tuple[str, str], ...] = ()
    """What was asked and answered before in the conversation, the oldest first."""


def documents(data: Path = DATA) -> dict[str, str]:
    """Texts by file name, in the order of the names."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((data / "corpus").glob("*.md"))}


def questions(data: Path = DATA) -> list[Asked]:
    """Of all groups. Raises DataError where a row's sentence is not in its document."""
    with (data / "qa.csv").open(encoding="utf-8", newline="") as file:
        found = [_row(row) for row in csv.DictReader(file)]
    found += [_prompt(row) for row in _lines(data / "load_deck.jsonl")]
    for conversation in _lines(data / "followups.jsonl"):
        found += _follow_ups(conversation)
    _check(found, documents(data))
    return found


def some(asked: Sequence[Asked], most: int | None) -> list[Asked]:
    """At most `most` of each group, evenly spread over it; None: all."""
    if most is None:
        return list(asked)
    chosen: list[Asked] = []
    for group in GROUPS:
        members = [one for one in asked if one.group == group]
        step = max(1, -(-len(members) // most))
        chosen += members[::step]
    return chosen


def _row(row: dict[str, str]) -> Asked:
    return Asked(
        group=QUESTIONS,
        id=row["id"],
        question=row["question"],
        figure=row["figure"],
        source=row["source"],
        evidence=row["evidence"],
    )


def _prompt(row: dict[str, Any]) -> Asked:
    return Asked(
        group=PARAPHRASES if row["kind"] == "paraphrase" else DECK,
        id=row["id"],
        question=row["prompt"],
        figure=row["gold"],
        source=row["source"],
        evidence=row["evidence"],
    )


def _follow_ups(conversation: dict[str, Any]) -> Iterator[Asked]:
    """Every turn but the first, which is a question like others."""
    turns = conversation["turns"]
    for number in range(1, len(turns)):
        turn = turns[number]
        yield Asked(
            group=FOLLOW_UPS,
            id=f"{conversation['id']}.{number + 1}",
            question=turn["user"],
            figure=turn["gold"],
            source=turn["source"],
            evidence=turn["evidence"],
            earlier=tuple((before["user"], before["answer"]) for before in turns[:number]),
        )


def _check(asked: Sequence[Asked], texts: dict[str, str]) -> None:
    for one in asked:
        if one.evidence not in texts.get(one.source, ""):
            raise DataError(f"{one.id}: {one.source} does not say {one.evidence!r}")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
