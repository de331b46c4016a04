"""Speculative decoding: a few tokens are guessed cheaply, and one step of the model checks them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from serving.vllm_checks import Check, OneOf, Optional, Text, Whole, check_combinations, check_fields

# Methods that propose tokens out of the prompt itself, and those that need a second model.
PROMPT_LOOKUP = "ngram"
DRAFT_METHODS = ("draft_model", "eagle", "eagle3")
SPECULATION_CHECKS: dict[str, Check] = {
    "method": OneOf((PROMPT_LOOKUP, *DRAFT_METHODS)),
    "num_speculative_tokens": Whole(low=1, high=32, unit="tokens"),
    "model": Optional(Text()),
    "prompt_lookup_min": Optional(Whole(low=1, high=1024, unit="tokens")),
    "prompt_lookup_max": Optional(Whole(low=1, high=1024, unit="tokens")),
    "draft_tensor_parallel_size": Optional(Whole(low=1, high=64, unit="GPUs")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """Speculative decoding: `num_speculative_tokens` are proposed cheaply and checked in one step of the model."""

    method: str
    num_speculative_tokens: int
    model: str | None = None  # the draft model, for DRAFT_METHODS
    prompt_lookup_min: int | None = None  # shortest and longest run of tokens looked up, for PROMPT_LOOKUP
    prompt_lookup_max: int | None = None
    draft_tensor_parallel_size: int | None = None

    def __post_init__(self) -> None:
        check_fields("speculative_config.", dataclasses.asdict(self), SPECULATION_CHECKS)
        check_combinations(self._combinations())

    def _combinations(self) -> Iterator[tuple[bool, str]]:
        looks_up = self.method == PROMPT_LOOKUP
        low, high = self.prompt_lookup_min, self.prompt_lookup_max
        yield (
            looks_up and high is None,
            "speculative_config.prompt_lookup_max is missing: the method ngram needs it",
        )
        yield (
            low is not None and high is not None and low > high,
            f"speculative_config.prompt_lookup_min ({low}) must not be above prompt_lookup_max ({high})",
        )
        yield (
            not looks_up and self.model is None,
            f"speculative_config.model is missing: the method {self.method} needs a draft model",
        )
