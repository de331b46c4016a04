"""Which requests may be answered from the cache, by which tiers, and whether their answers may be kept. Pure.

What is not known to be safe is not done: the reasons are words of a fixed list, for the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from api.cache.directives import CacheDirectives
from api.cache.question import Question
from api.cache.slots.types import Slots
from api.schemas.tokens import estimated_tokens
from serving.types import Endpoint

MAX_QUESTION_TOKENS = 200
"""The embedder would see only the beginning of longer ones, most of which are a text with a question in it."""
# Making the keys of a larger body would hold up the other calls of the worker, and it hardly ever comes twice.
_MAX_BODY_BYTES = 256 * 1024


class Tiers(StrEnum):
    NONE = "none"
    EXACT = "exact"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Cacheability:
    tiers: Tiers
    looks_up: bool
    stores: bool
    reason: str | None = None
    """Why it is not more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRules:
    max_temperature: float
    omitted_temperature: bool
    """Whether a request that names none may be answered."""


def bypass_reason(
    endpoint: Endpoint, body: Mapping[str, Any], body_bytes: int, directives: CacheDirectives, rules: CacheRules
) -> str | None:
    """Why the cache has no part in this request, before its question has been looked at; None: it may have."""
    if endpoint is Endpoint.EMBEDDINGS:
        return "embeddings"
    if directives.no_cache and directives.no_store:
        return "directives"
    if body_bytes > _MAX_BODY_BYTES:
        return "too_large"
    if reason := _asks_for_more_than_text(body):
        return reason
    if not directives.sampled:
        temperature = body.get("temperature")
        tame = rules.omitted_temperature if temperature is None else temperature <= rules.max_temperature
        if not tame:
            return "temperature"
        if (body.get("n") or 1) > 1:
            return "several_choices"
    return None


def _asks_for_more_than_text(body: Mapping[str, Any]) -> str | None:
    # Probabilities are asked for by who measures the model; those of another moment would pass for a measurement.
    logprobs = body.get("logprobs")  # of a completion 0 asks for them too
    if not (logprobs is None or logprobs is False) or body.get("prompt_logprobs") is not None:
        return "logprobs"
    modalities = body.get("modalities")
    if body.get("audio") is not None or modalities not in (None, [], ["text"]):
        return "audio"
    # The web of an hour ago, and a wish that something be done at the vendor's: only the engine can serve these.
    if body.get("web_search_options") is not None:
        return "web_search"
    if body.get("store"):
        return "store"
    return None


def cacheability(
    body: Mapping[str, Any], question: Question, slots: Slots | None, directives: CacheDirectives
) -> Cacheability:
    """Of a request without a `bypass_reason`. `slots`: of its question, None where it was not parsed."""
    if question.has_attachments:
        # A link's picture can change behind the same link, and the same file hardly comes twice.
        return Cacheability(Tiers.NONE, looks_up=False, stores=False, reason="attachments")
    reason = _exact_only(body, question, slots)
    return Cacheability(
        Tiers.ALL if reason is None else Tiers.EXACT,
        looks_up=not directives.no_cache,
        stores=not directives.no_store,
        reason="directives" if directives.no_cache else reason,
    )


def _exact_only(body: Mapping[str, Any], question: Question, slots: Slots | None) -> str | None:
    """Why only the very same request may have the same answer; None: so may one that means the same."""
    if question.text is None:
        return "no_plain_question"
    if body.get("tools") or body.get("functions"):
        return "tools"
    # These make the question's own words part of the answer, or choose among several answers.
    if any(body.get(name) for name in ("prediction", "echo", "suffix")) or _several(body):
        return "shaped_answer"
    if slots is None:
        return "too_long"
    if not slots.standalone:
        return "not_standalone"
    if slots.personal and not body.get("user"):
        return "personal"
    return None


def _several(body: Mapping[str, Any]) -> bool:
    return (body.get("n") or 1) > 1 or (body.get("best_of") or 1) > 1


def is_short(text: str) -> bool:
    """Whether a question is short enough to be understood as a whole, by an estimate of its tokens."""
    return estimated_tokens(text) <= MAX_QUESTION_TOKENS
