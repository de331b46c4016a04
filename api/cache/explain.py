"""Why two questions do or do not share an answer: the look-up's own rules, run on a pair and put into words."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from api.cache.agreement import AgreementDecision, agreement
from api.cache.base import HitAudit, QuestionParser
from api.cache.cacheability import MAX_QUESTION_TOKENS, Tiers, cacheability, is_short
from api.cache.canonical import canonical_form
from api.cache.directives import CacheDirectives
from api.cache.question import Question
from api.cache.slots.types import Slots
from api.cache.types import Explanation, QuestionReading, Verdict
from api.cache.volatility import entry_tags, question_class, ttl_s
from serving.embedders.base import Embedder, EmbedderError

# They say how long and for whom an answer holds, or why a slot is missing, but not what the question is about.
_NOT_COMPARED = frozenset({"problems", "volatile", "personal", "standalone"})
# A name or a period alone may be read as something else, which it is not in the place that questions have for it.
_PLACES = {"entity": "What is the revenue of {}?", "period": "What was the revenue in {}?"}


class _Question(NamedTuple):
    name: str
    """`a` or `b`, for sentences."""
    text: str
    slots: Slots
    canonical: bytes | None


class _Closeness(NamedTuple):
    tokens: Mapping[str, int] = MappingProxyType({})
    """By the question's name."""
    cosine: float | None = None
    trouble: str | None = None
    """Why the other two are missing."""


class Explainer:
    def __init__(
        self,
        *,
        parser: QuestionParser,
        embedder: Embedder | None,
        min_cosine: float,
        ttl_s: float,
        volatile_ttl_s: float,
        audit: HitAudit | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        """`timeout_s`: how long vectors may take, which is longer than a request would wait."""
        self._parser = parser
        self._embedder = embedder
        self._min_cosine = min_cosine
        self._ttl_s = ttl_s
        self._volatile_ttl_s = volatile_ttl_s
        self._audit = audit
        self._timeout_s = timeout_s

    def spellings_of(self, tag: str) -> tuple[str, ...]:
        """`tag` itself, and as answers carry it if it names an entity or a period in a user's words."""
        kind, _, name = tag.partition(":")
        place = _PLACES.get(kind)
        parsed = () if place is None else entry_tags(self._parser.parse(place.format(name)))
        return tuple(dict.fromkeys([tag, *(own for own in parsed if own.startswith(f"{kind}:"))]))

    async def explain(self, a: str, b: str) -> Explanation:
        """`a` was answered before, `b` is asked now."""
        first, second = self._question("a", a), self._question("b", b)
        guard = agreement(second.slots, first.slots)
        close = await self._closeness(a, b)
        verdict, deciding = self._judge(first, second, guard, close)
        return Explanation(
            verdict=verdict,
            reasons=(*deciding, *_remarks(first), *_remarks(second), *_trouble(close)),
            a=self._reading(first, close),
            b=self._reading(second, close),
            differing_slots=_differing(first.slots, second.slots),
            same_canonical_key=_same_key(first, second),
            agreement=guard.agrees,
            cosine=close.cosine,
            min_cosine=self._min_cosine,
        )

    def _question(self, name: str, text: str) -> _Question:
        slots = self._parser.parse(text)
        return _Question(name, text, slots, canonical_form(slots))

    async def _closeness(self, a: str, b: str) -> _Closeness:
        if self._embedder is None:
            return _Closeness(trouble="the semantic tier is off")
        try:
            tokens_a, tokens_b = await self._embedder.token_counts([a, b])
            vector_a, vector_b = await self._embedder.embed([a, b], timeout_s=self._timeout_s, bulk=True)
        except EmbedderError as error:
            return _Closeness(trouble=f"the embedder is away ({error})")
        return _Closeness({"a": tokens_a, "b": tokens_b}, _cosine(vector_a, vector_b))

    def _judge(
        self, a: _Question, b: _Question, guard: AgreementDecision, close: _Closeness
    ) -> tuple[Verdict, list[str]]:
        if a.text == b.text:
            return Verdict.EXACT, ["The questions are equal, letter for letter."]
        if barred := [*_barred(a), *_barred(b)]:
            return Verdict.DIFFERENT, barred
        if _same_key(a, b):
            return Verdict.CANONICAL, ["Both have the same canonical key: all slots and all other words are equal."]
        if not guard.agrees:
            return Verdict.DIFFERENT, [
                f"The guard sees a difference between b and a: {reason}." for reason in guard.reasons
            ]
        if self._audit is not None and self._audit.is_demoted(kind := question_class(b.slots)):
            text = f"The audit has found wrong hits among questions of the class {kind}: no vector answers them now."
            return Verdict.DIFFERENT, [text]
        if long := [name for name, tokens in close.tokens.items() if tokens > MAX_QUESTION_TOKENS]:
            names = " and ".join(long)
            return Verdict.DIFFERENT, [f"No vector stands for all of {names}: more than {MAX_QUESTION_TOKENS} tokens."]
        return self._judge_closeness(close)

    def _judge_closeness(self, close: _Closeness) -> tuple[Verdict, list[str]]:
        if close.cosine is None:
            text = "The guard sees no difference, but without vectors there is no semantic tier."
            return Verdict.DIFFERENT, [text]
        measured = f"the cosine of their vectors is {close.cosine:.3f}"
        if close.cosine < self._min_cosine:
            text = f"The guard sees no difference, but {measured}, below the {self._min_cosine:g} that is needed."
            return Verdict.DIFFERENT, [text]
        return Verdict.SEMANTIC, [f"The guard sees no difference, and {measured}: at least {self._min_cosine:g}."]

    def _reading(self, question: _Question, close: _Closeness) -> QuestionReading:
        return QuestionReading(
            slots=msgspec.structs.asdict(question.slots),
            tags=entry_tags(question.slots),
            tokens=close.tokens.get(question.name),
            ttl_s=ttl_s(question.slots, stable_s=self._ttl_s, volatile_s=self._volatile_ttl_s),
            has_canonical_key=question.canonical is not None,
        )


def _barred(question: _Question) -> Iterator[str]:
    """Why no tier but the exact one is open to it, in a request that holds nothing else."""
    body = {"user": "somebody"}  # for what is personal; `_remarks` says so
    asked = Question(content=question.text, text=question.text, context=[])
    decision = cacheability(body, asked, question.slots if is_short(question.text) else None, CacheDirectives())
    if decision.tiers is Tiers.ALL:
        return
    match decision.reason:
        case "too_long":
            why = f"has more than {MAX_QUESTION_TOKENS} tokens"
        case "not_standalone":
            why = "does not stand alone: what it means depends on the turns before it"
        case other:
            why = f"is not for the other tiers ({other})"
    yield f"Only the exact tier is open to {question.name}, which {why}."


def _same_key(a: _Question, b: _Question) -> bool:
    return a.canonical is not None and a.canonical == b.canonical


def _remarks(question: _Question) -> Iterator[str]:
    """What holds for this question, whatever the other one is."""
    for problem in question.slots.problems:
        yield f"{question.name} has no canonical key: {problem}."
    if question.slots.personal:
        yield f"The answer to {question.name} depends on who asks: only requests of the same user share it."
    if question.slots.volatile:
        yield f"The answer to {question.name} may change within minutes, so it is kept for a shorter time."


def _trouble(close: _Closeness) -> Iterator[str]:
    if close.trouble is not None:
        yield f"There is no cosine and no count of tokens: {close.trouble}."


def _differing(a: Slots, b: Slots) -> tuple[str, ...]:
    """Names of the slots that say what a question is about, and are not equal."""
    names = [name for name in Slots.__struct_fields__ if name not in _NOT_COMPARED]
    return tuple(name for name in names if getattr(a, name) != getattr(b, name))


def _cosine(a: bytes, b: bytes) -> float:
    """Of two unit vectors, float32 and little-endian."""
    form = f"<{len(a) // 4}f"
    products = (float(x) * float(y) for x, y in zip(struct.unpack(form, a), struct.unpack(form, b), strict=True))
    return sum(products)
