"""Pairs of questions: may the second be answered with what was said to the first?

Each pair has a scope of its own (a system prompt that no other has), so a second question can hit its first one only.
Pairs with label 1 have the same right answer; of those with label 0 the answer to one is wrong for the other.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import KEY
from bench.load import LoadError
from bench.semantic_cache.client import Answer, Client, chat, connected
from bench.semantic_cache.engine import MODEL

_FOLDER = Path(__file__).parent / "pairs"
LINKS = _FOLDER / "links.jsonl"
"""Questions of different pairs that have the same answer: for the stream, where they meet in one scope."""
_CONNECTIONS = 8
_BATCH = 64
# An answer is stored behind the client's back; nothing is asked again before all of a batch must be there.
_STORED_AFTER_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    same: bool
    kind: str
    """What tells the two apart: a class of hard negatives, or the way in which one was rephrased."""
    a: str
    b: str

    @property
    def is_drawn(self) -> bool:
        """Made from a template by chance, not written."""
        return self.kind.startswith("template")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    pair: Pair
    tier: str
    """The second question's."""

    @property
    def is_hit(self) -> bool:
        return self.tier not in ("miss", "bypass")

    @property
    def is_wrong(self) -> bool:
        return self.is_hit and not self.pair.same


def held_out() -> list[Path]:
    """The files of pairs that were made before the rules, and whose questions the stream asks."""
    return sorted(_FOLDER.glob("held-out-*.jsonl"))


def unseen() -> list[Path]:
    """The files of pairs that nobody had read while the rules of the day they were run first were made."""
    return sorted(_FOLDER.glob("unseen/*.jsonl"))


def read_pairs(path: Path) -> list[Pair]:
    """A JSON object a line, with `label` (0 or 1), `class`, `a` and `b`."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [Pair(same=bool(row["label"]), kind=row["class"], a=row["a"], b=row["b"]) for row in rows]


async def run(pairs: Sequence[Pair], *, port: int, name: str, progress: Callable[[str], None]) -> list[Outcome]:
    """`name` tells this run's scopes from those of another over the same gateway. Raises LoadError."""
    outcomes: list[Outcome] = []
    async with connected(port=port, key=KEY, connections=_CONNECTIONS) as client:
        for start in range(0, len(pairs), _BATCH):
            batch = pairs[start : start + _BATCH]
            scopes = [f"You answer questions of analysts. Desk {name}-{start + i}." for i in range(len(batch))]
            firsts = await _ask_all(client, [pair.a for pair in batch], scopes)
            check_firsts(firsts)
            await asyncio.sleep(_STORED_AFTER_S)
            seconds = await _ask_all(client, [pair.b for pair in batch], scopes)
            # What was there to be served all the time: else a miss would prove nothing.
            check_stored(await _ask_all(client, [pair.a for pair in batch], scopes), firsts)
            for pair, first, second in zip(batch, firsts, seconds, strict=True):
                check_second(pair, first, second)
                outcomes.append(Outcome(pair=pair, tier=second.tier))
            progress(f"pairs {name}: {len(outcomes)} of {len(pairs)}")
    return outcomes


async def _ask_all(client: Client, questions: Sequence[str], scopes: Sequence[str]) -> list[Answer]:
    # With a user, because questions about "my account" are answered for that user only, and otherwise not at all.
    bodies = [
        chat(question, system=scope, model=MODEL, user="analyst-1")
        for question, scope in zip(questions, scopes, strict=True)
    ]
    return await asyncio.gather(*(client.ask(body) for body in bodies))


def check_firsts(answers: Sequence[Answer]) -> None:
    found = Counter(answer.tier for answer in answers)
    if set(found) - {"miss", "bypass"}:
        raise LoadError(f"the first question of a fresh scope was not answered by the engine: {dict(found)}")


def check_stored(again: Sequence[Answer], firsts: Sequence[Answer]) -> None:
    for answer, first in zip(again, firsts, strict=True):
        if (answer.tier, answer.call) != ("exact", first.call):
            raise LoadError(f"the answer to {first.question!r} was not there any more: {answer.tier}")


def check_second(pair: Pair, first: Answer, second: Answer) -> None:
    """What the header says is what happened: a hit is the first one's answer, a miss the engine's own to this one."""
    hit = second.tier not in ("miss", "bypass")
    if hit and (second.call, second.question) != (first.call, pair.a):
        raise LoadError(f"a hit that is not the answer to the pair's first question: {second.question!r}")
    if not hit and second.question != pair.b:
        raise LoadError(f"{second.tier!r} is not the engine's answer to the question asked: {second.question!r}")
