"""Whether completions have the right figure and cite where it stands. SIMULATED: MockLLM is the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.exchange import together
from bench.rag.client import VERSIONS, Answer, Corpus
from bench.rag.finsight import FOLLOW_UPS, Asked
from bench.rag.recall import is_right
from bench.rag.scoring import has_figure

CACHED = "v4"
"""The version that has the cache."""
HITS = ("exact", "canonical", "semantic")
FILLING, REPEATING = "first", "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    version: str
    asked: Asked
    run: str
    """`off`: without a cache; else which of the two runs with it."""
    answer: Answer

    @property
    def is_right(self) -> bool:
        return has_figure(self.answer.text, self.asked.figure)

    @property
    def is_cited(self) -> bool:
        """Whether a passage that it cites is of the right document and has the figure."""
        return any(is_right(passage, self.asked) for passage in self.answer.cited)

    @property
    def is_hit(self) -> bool:
        return self.answer.cache in HITS


async def without_cache(
    corpus: Corpus, questions: Sequence[Asked], *, progress: Callable[[str], None]
) -> list[Outcome]:
    """Every question of every version, several at a time. Raises LoadError."""
    outcomes: dict[tuple[str, str, str], Outcome] = {}

    async def one(version: str, asked: Asked) -> None:
        answer = await corpus.answer(asked.question, version=version, earlier=asked.earlier)
        outcomes[version, asked.group, asked.id] = Outcome(version=version, asked=asked, run="off", answer=answer)

    for version in VERSIONS:
        await together(one(version, asked) for asked in questions)
        progress(f"{version}: answered {len(questions)} questions")
    return [outcomes[version, asked.group, asked.id] for version in VERSIONS for asked in questions]


async def with_cache(corpus: Corpus, questions: Sequence[Asked], *, progress: Callable[[str], None]) -> list[Outcome]:
    """Twice every question that stands alone, one at a time. Raises LoadError."""
    alone = [asked for asked in questions if asked.group != FOLLOW_UPS]
    outcomes = []
    for run in (FILLING, REPEATING):
        for asked in alone:
            answer = await corpus.answer(asked.question, version=CACHED)
            outcomes.append(Outcome(version=CACHED, asked=asked, run=run, answer=answer))
        progress(f"{CACHED} with its cache, {run} time: answered {len(alone)} questions")
    return outcomes
