"""One sequence on its way through the engine: its tokens, its blocks, and when each thing happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence as TokenList

    from serving.mock_llm.core.blocks import Block


class FinishReason(StrEnum):
    """The values of vLLM's `finished_reason` label."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"
    ERROR = "error"


class Status(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence:
    """`prompt` and `output` are tokens; `output` is what the model is going to say, one token a step.

    `ends_with` is the reason once the output is used up. Times are seconds on the clock of whoever drives the core.
    """

    prompt: TokenList[str]
    output: TokenList[str]
    ends_with: FinishReason = FinishReason.STOP
    arrived_s: float = 0.0

    status: Status = Status.WAITING
    finish_reason: FinishReason | None = None
    generated: int = 0
    computed: int = 0
    # Prompt tokens found in the prefix cache when the sequence first ran; None before that.
    cached_tokens: int | None = None
    preemptions: int = 0
    blocks: list[Block] = field(default_factory=list)
    block_hashes: list[int] = field(default_factory=list)

    scheduled_s: float | None = None
    first_token_s: float | None = None
    last_token_s: float | None = None
    finished_s: float | None = None

    @property
    def length(self) -> int:
        """Tokens known so far: the prompt and what was generated."""
        return len(self.prompt) + self.generated

    def tokens(self, start: int, end: int) -> TokenList[str]:
        """Known tokens `start` to `end`, prompt and output as one row."""
        prompt_length = len(self.prompt)
        if end <= prompt_length:
            return self.prompt[start:end]
        if start >= prompt_length:
            return self.output[start - prompt_length : end - prompt_length]
        return [*self.prompt[start:], *self.output[: end - prompt_length]]
