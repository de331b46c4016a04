"""`POST /v1/completions`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.schemas.sampling import Sampling, check_sampling
from api.schemas.tokens import Input, estimated_input_tokens, input_problem


class CompletionRequest(Sampling, kw_only=True):
    prompt: Input
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None

    def problem(self) -> tuple[str, str] | None:
        if self.best_of is not None and self.best_of < (self.n or 1):
            return "best_of", "best_of must not be less than n"
        return input_problem("prompt", self.prompt) or check_sampling(self)

    @property
    def output_limit(self) -> tuple[str, int] | None:
        return None if self.max_tokens is None else ("max_tokens", self.max_tokens)

    @property
    def choices(self) -> int:
        return self._prompts * (self.n or 1)

    @property
    def generations(self) -> int:
        return self._prompts * max(self.n or 1, self.best_of or 1)

    @property
    def _prompts(self) -> int:
        return len(self.prompt) if isinstance(self.prompt, list) and not isinstance(self.prompt[0], int) else 1

    def prompt_tokens(self) -> int:
        return estimated_input_tokens(self.prompt)
