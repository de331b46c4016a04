"""The words for what the look-up's rules say about two questions. The rules themselves have tests of their own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.cache.explain import Explainer
from api.cache.slots.types import Slots
from api.cache.types import CacheStatus, Entry, Verdict
from api.call import Call
from serving.embedders.base import EmbedderTimeout

WHAT = Slots(question_type="what", entities=("norvane",), metrics=("revenue",), periods=("Q3-2024",), in_domain=True)
SLOTS = {
    "revenue q3": WHAT,
    "q3 revenue": WHAT,
    "the q3 revenue figure": Slots(
        question_type="what",
        entities=("norvane",),
        metrics=("revenue",),
        periods=("Q3-2024",),
        in_domain=True,
        soft=("figure",),
    ),
    "revenue q4": Slots(
        question_type="what", entities=("norvane",), metrics=("revenue",), periods=("Q4-2024",), in_domain=True
    ),
    "revenue q5": Slots(
        question_type="what", entities=("norvane",), metrics=("revenue",), problems=("'q5' is no quarter",)
    ),
    "what about q4?": Slots(question_type="what", periods=("Q4-2024",), standalone=False),
    "our revenue": Slots(question_type="what", metrics=("revenue",), in_domain=True, personal=True),
    "revenue now": Slots(question_type="what", metrics=("revenue",), in_domain=True, volatile=True),
}


class Parser:
    version = "1"

    def parse(self, question: str) -> Slots:
        return SLOTS.get(question, WHAT)


@dataclass
class Embedder:
    """Vectors of two dimensions with a given cosine between the first text and any other."""

    cosine: float = 0.95
    tokens: int = 7
    error: Exception | None = None
    name: str = "two-dimensions"
    dimensions: int = 2
    asked: list[tuple[float, bool]] = field(default_factory=list)

    async def start(self) -> None: ...

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        self.asked.append((timeout_s, bulk))
        if self.error is not None:
            raise self.error
        sine = (1 - self.cosine**2) ** 0.5
        return [struct.pack("<2f", *((1.0, 0.0) if text == texts[0] else (self.cosine, sine))) for text in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [self.tokens for _ in texts]

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class DemotingAudit:
    def consider(self, call: Call, entry: Entry, status: CacheStatus) -> None: ...

    def is_demoted(self, question_class: str) -> bool:
        return bool(question_class)


def explainer(embedder: Embedder | None, **changes: Any) -> Explainer:
    return Explainer(
        parser=Parser(), embedder=embedder, min_cosine=0.92, ttl_s=86_400.0, volatile_ttl_s=300.0, **changes
    )


@pytest.mark.parametrize(
    ("a", "b", "cosine", "verdict", "deciding"),
    [
        ("revenue q3", "revenue q3", 1.0, Verdict.EXACT, "letter for letter"),
        ("what about q4?", "what about q4?", 1.0, Verdict.EXACT, "letter for letter"),
        ("revenue q3", "q3 revenue", 0.5, Verdict.CANONICAL, "same canonical key"),
        ("revenue q3", "the q3 revenue figure", 0.93, Verdict.SEMANTIC, "cosine of their vectors is 0.930"),
        ("revenue q3", "the q3 revenue figure", 0.91, Verdict.DIFFERENT, "0.910, below the 0.92"),
        ("revenue q3", "revenue q4", 0.999, Verdict.DIFFERENT, "The guard sees a difference between b and a"),
        ("revenue q3", "what about q4?", 0.999, Verdict.DIFFERENT, "b, which does not stand alone"),
        ("x" * 2000, "revenue q3", 0.999, Verdict.DIFFERENT, "a, which has more than 200 tokens"),
    ],
)
async def test_the_verdict_is_the_first_tier_that_would_serve_it(
    a: str, b: str, cosine: float, verdict: Verdict, deciding: str
) -> None:
    found = await explainer(Embedder(cosine)).explain(a, b)
    assert found.verdict is verdict
    assert deciding in found.reasons[0]
    assert found.cosine == pytest.approx(cosine, abs=1e-6)
    assert found.min_cosine == 0.92


async def test_what_differs_is_named_and_everything_else_shown() -> None:
    found = await explainer(Embedder()).explain("revenue q3", "revenue q4")
    assert found.differing_slots == ("periods",)
    assert (found.same_canonical_key, found.agreement) == (False, False)
    assert any("Q3-2024" in reason and "Q4-2024" in reason for reason in found.reasons)
    assert found.a.slots["periods"] == ("Q3-2024",)
    assert set(found.a.slots) == set(Slots.__struct_fields__)
    assert found.a.tokens == 7
    assert {"entity:norvane", "period:Q3-2024"} <= set(found.a.tags)
    assert found.a.has_canonical_key


@pytest.mark.parametrize(
    ("question", "remark", "ttl_s", "has_canonical_key"),
    [
        ("revenue q5", "b has no canonical key: 'q5' is no quarter.", 86_400.0, False),
        ("our revenue", "only requests of the same user share it", 86_400.0, True),
        ("revenue now", "may change within minutes", 300.0, True),
    ],
)
async def test_what_holds_for_one_question_alone_is_said_after_the_verdict(
    question: str, remark: str, ttl_s: float, has_canonical_key: bool
) -> None:
    found = await explainer(Embedder()).explain("revenue q3", question)
    assert found.verdict is Verdict.DIFFERENT
    assert any(remark in reason for reason in found.reasons[1:])
    assert (found.b.ttl_s, found.b.has_canonical_key) == (ttl_s, has_canonical_key)


@pytest.mark.parametrize(
    ("embedder", "why"),
    [(None, "the semantic tier is off"), (Embedder(error=EmbedderTimeout("no vector within 2 s")), "within 2 s")],
)
@pytest.mark.parametrize(
    ("b", "verdict"),
    [
        ("revenue q3", Verdict.EXACT),
        ("q3 revenue", Verdict.CANONICAL),
        ("the q3 revenue figure", Verdict.DIFFERENT),
        ("revenue q4", Verdict.DIFFERENT),
    ],
)
async def test_without_vectors_it_explains_all_the_rest(
    embedder: Embedder | None, why: str, b: str, verdict: Verdict
) -> None:
    found = await explainer(embedder).explain("revenue q3", b)
    assert (found.verdict, found.cosine, found.a.tokens) == (verdict, None, None)
    assert why in found.reasons[-1]


async def test_a_demoted_class_has_no_semantic_tier() -> None:
    asked = explainer(Embedder(), audit=DemotingAudit())
    assert "The audit" in (await asked.explain("revenue q3", "the q3 revenue figure")).reasons[0]
    assert (await asked.explain("revenue q3", "q3 revenue")).verdict is Verdict.CANONICAL


async def test_a_text_that_the_embedder_cuts_has_no_vector() -> None:
    found = await explainer(Embedder(tokens=201)).explain("revenue q3", "the q3 revenue figure")
    assert found.verdict is Verdict.DIFFERENT
    assert "all of a and b: more than 200 tokens" in found.reasons[0]


async def test_the_embedder_is_asked_once_patiently_and_without_getting_in_the_way() -> None:
    embedder = Embedder()
    await explainer(embedder).explain("revenue q3", "revenue q4")
    assert embedder.asked == [(2.0, True)]
