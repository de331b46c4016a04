"""A prompt has exactly the passages that were found and one question, whatever stands in them."""

from __future__ import annotations

import copy
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.prompts import CLOSING, INSTRUCTION, OPENING, grounded_messages, grounded_question, passage_line
from rag.quoting import quoted
from serving.mock_llm.passages import question_and_passages
from serving.mock_llm.prompts import Turn
from tests.unit.rag.hostile import HOSTILE
from tests.unit.rag.passages import passage

QUESTION = "What did costs do in Q3 2024?"
PART = {"type": "text", "text": "Be brief."}
TEMPLATE_TOKEN = re.compile(r"<[|/a-zA-Z<]|\[/?[A-Z_ ]{2,}\]")


def check_structure(content: str, count: int) -> None:
    """Exactly `count` passages, between exactly one pair of delimiters, and one question behind them."""
    lines = content.split("\n")
    assert lines[0] == OPENING
    assert lines[-3:] == [CLOSING, "", f"Question: {QUESTION}"]
    assert content.count("<") == content.count(OPENING) + content.count(CLOSING) == 2
    labels = [line.partition(" ")[0] for line in lines if line.startswith("[")]
    assert labels == [f"[{number}]" for number in range(1, count + 1)]
    assert re.findall(r"\[\d[\d, ]*\]", content) == labels
    assert len(lines) == 2 * count + 5
    assert len(re.findall(r"(?i)\b(question|query|user|system|human|assistant|answer)\s*:", content)) == 1
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn") for line in lines for character in line)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_document_cannot_leave_its_place(name: str) -> None:
    honest = passage(2, "Costs fell by 4.1% in Q3 2024.")
    inside = passage(1, HOSTILE[name])
    as_names = passage(3, "Costs rose.", title=HOSTILE[name], headings=(HOSTILE[name], "Results"))
    content = grounded_question(QUESTION, [inside, honest, as_names])
    check_structure(content, 3)
    between = content.removeprefix(OPENING).partition(CLOSING)[0]
    assert TEMPLATE_TOKEN.search(between) is None
    # The engine's own reader sees the same, and each passage under its own label.
    question, passages = question_and_passages([Turn("system", INSTRUCTION), Turn("user", content)])
    assert question == QUESTION
    assert {found.label for found in passages if found.label} <= {"1", "2", "3"}
    assert [found.label for found in passages if "4.1%" in found.text] == ["2"]


@given(st.text(), st.text(), st.text())
def test_nor_can_any_text(text: str, title: str, heading: str) -> None:
    check_structure(grounded_question(QUESTION, [passage(1, text, title=title, headings=(heading,))]), 1)


@given(st.text())
def test_what_is_quoted_stays(text: str) -> None:
    assert quoted(quoted(text)) == quoted(text)


@pytest.mark.parametrize(
    "text",
    [
        "Revenue was $412.6 million in Q3 2024, up 4.1% (see note 3) - a record.",
        "if x < 5 and y > 3: a[i] = b",
        "Müller & Söhne, 東京, naïve café, 1 ½, m²",
        "<5% of users",
    ],
)
def test_plain_text_is_quoted_as_it_is(text: str) -> None:
    assert quoted(text) == text


def test_messages_are_not_changed_and_the_prefix_is_the_same_for_all_questions() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What did costs do?"},
    ]
    before = copy.deepcopy(messages)
    one = grounded_messages(messages, QUESTION, [passage(1, "Costs fell.")])
    other = grounded_messages(messages, "Who knows?", [passage(1, "Somebody knows.")])
    assert messages == before
    assert one[:-1] == other[:-1]
    assert one[0] == {"role": "system", "content": f"Be brief.\n\n{INSTRUCTION}"}
    assert one[1:3] == messages[1:3]
    assert one[-1]["role"] == "user"
    check_structure(one[-1]["content"], 1)


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ([], {"role": "system", "content": INSTRUCTION}),
        (
            [{"role": "developer", "content": "Be brief."}],
            {"role": "developer", "content": f"Be brief.\n\n{INSTRUCTION}"},
        ),
        (
            [{"role": "system", "content": [PART]}],
            {"role": "system", "content": [PART, {"type": "text", "text": INSTRUCTION}]},
        ),
    ],
)
def test_the_instruction_stands_behind_the_clients_own(system: list[dict[str, object]], expected: object) -> None:
    found = grounded_messages([*system, {"role": "user", "content": "x"}], QUESTION, [])
    assert found[0] == expected
    assert len(found) == 2


def test_the_last_of_several_system_messages_takes_it() -> None:
    system = [{"role": "system", "content": "One."}, {"role": "system", "content": "Two."}]
    found = grounded_messages([*system, {"role": "user", "content": "x"}], QUESTION, [])
    assert [message["content"] for message in found[:2]] == ["One.", f"Two.\n\n{INSTRUCTION}"]


def test_where_nothing_was_found_the_engine_is_told_so() -> None:
    content = grounded_question(QUESTION, [])
    assert content.startswith(f"{OPENING}\n\nNone was found")
    question, passages = question_and_passages([Turn("system", INSTRUCTION), Turn("user", content)])
    assert question == QUESTION
    assert not any(found.label for found in passages)


def test_a_passage_says_where_it_is_from() -> None:
    found = passage(1, "Costs\nfell.", title="Report", headings=("Report", "Results", "Costs"))
    assert passage_line(3, found) == "[3] (Report > Results > Costs) Costs fell."
    assert passage_line(1, passage(1, "x", title="", headings=())) == "[1] (file.md) x"
