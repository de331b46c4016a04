"""Finds the question and the context passages in a conversation, and cuts passages into sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.mock_llm.prompts import Turn

_QUESTION_MARK = re.compile(r"^[ \t]*(?:user[ \t]+)?(?:question|query|q)[ \t]*:[ \t]*", re.IGNORECASE | re.MULTILINE)
_ANSWER_MARK = re.compile(r"^[ \t]*(?:answer|a|response)[ \t]*:\s*\Z", re.IGNORECASE | re.MULTILINE)
_LABEL = re.compile(r"^\s*(?:\[(\d+|[A-Za-z]+[\w:.-]*\d+)\]|(?:passage|document|source|doc|chunk)\s+(\d+)\s*[:.)-])\s*",
                    re.IGNORECASE)  # fmt: skip
_LABEL_LINE = re.compile(
    r"\n(?=\s*(?:\[[\w:.-]+\]|(?:passage|document|source|doc|chunk)\s+\d+\s*[:.)-]))", re.IGNORECASE
)
# Where a labelled passage is from: "[1] (Report > Income statement) Revenue was …".
_ORIGIN = re.compile(r"\s*\((?:[^()\n]|\([^()\n]*\)){1,500}\)\s+")
_HEADING = re.compile(
    r"^\s*(?:relevant\s+)?(?:context|passages|documents|sources)(?:\s+passages)?\s*:\s*", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“(\[]?[A-Z0-9$€£])|\n+")
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|vs|No|approx|est|St|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_LONGEST_ABBREVIATION = 8
# An instruction to the model is no passage to answer from.
_INSTRUCTION = re.compile(
    r"\b(?:you|your)\b|^\s*(?:answer|use|do not|don't|never|always|be|if|only|cite|reply|respond|say|given|explain)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """`label` is what the prompt calls it, such as "1" for a passage that begins with "[1]"."""

    text: str
    label: str | None
    sentences: tuple[str, ...]


def question_and_passages(turns: Sequence[Turn]) -> tuple[str, list[Passage]]:
    """The last user turn holds the question; passages come from it and from all turns but the assistant's."""
    last = max((index for index, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1)
    question, rest = _split_question(turns[last].text)
    texts = [rest]
    texts += [turn.text for index, turn in enumerate(turns) if index != last and turn.role != "assistant"]
    return question, [passage for text in texts for passage in _passages(text)]


def sentences_of(text: str) -> list[str]:
    sentences: list[str] = []
    for piece in filter(None, (part.strip() for part in _SENTENCE_END.split(text))):
        if sentences and _ABBREVIATION.search(sentences[-1][-_LONGEST_ABBREVIATION:]):
            sentences[-1] += f" {piece}"
        else:
            sentences.append(piece)
    return sentences


def _split_question(text: str) -> tuple[str, str]:
    text = _ANSWER_MARK.sub("", text).rstrip()
    marks = list(_QUESTION_MARK.finditer(text))
    if marks:
        after = text[marks[-1].end() :]
        question, _, rest = after.partition("\n\n")
        return question.strip(), f"{text[: marks[-1].start()]}\n\n{rest}"
    paragraphs = re.split(r"\n\s*\n", text.strip())
    if len(paragraphs) > 1:
        asked = [index for index, paragraph in enumerate(paragraphs) if paragraph.rstrip().endswith("?")]
        chosen = asked[-1] if asked else len(paragraphs) - 1
        question = paragraphs.pop(chosen)
        return question.strip(), "\n\n".join(paragraphs)
    sentences = sentences_of(text)
    asked = [index for index, sentence in enumerate(sentences) if sentence.endswith("?")]
    if len(sentences) > 1 and asked:
        question = sentences.pop(asked[-1])
        return question, " ".join(sentences)
    return text.strip(), ""


def _passages(text: str) -> list[Passage]:
    passages: list[Passage] = []
    for block in re.split(r"\n\s*\n", text):
        for raw in _LABEL_LINE.split(_HEADING.sub("", block)):
            label = _LABEL.match(raw)
            body = raw[label.end() :] if label else raw
            origin = _ORIGIN.match(body) if label else None
            said = body[origin.end() :] if origin else body
            sentences = tuple(sentence for sentence in sentences_of(said) if not _INSTRUCTION.search(sentence))
            if sentences:
                passages.append(Passage(body, (label.group(1) or label.group(2)) if label else None, sentences))
    return passages
