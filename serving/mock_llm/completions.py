"""`/v1/completions`: several prompts, `n` choices of each, and the prompt repeated on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.mock_llm.answers import answer, variant
from serving.mock_llm.chat import Job, limits_of, structured_text, variation
from serving.mock_llm.errors import InvalidRequest
from serving.mock_llm.outputs import OutputPlan, plan_output
from serving.mock_llm.prompts import Turn
from serving.mock_llm.tokenizer import tokenize, tokens_of_ids
from serving.mock_llm.wire.replies import CompletionReply, Envelope
from serving.mock_llm.wire.requests import rows_of

if TYPE_CHECKING:
    from serving.mock_llm.wire.requests import CompletionRequest

_DEFAULT_MAX_TOKENS = 16
_MAX_CHOICES = 512


def completion_job(request: CompletionRequest, envelope: Envelope, *, max_model_len: int) -> Job:
    if request.suffix:
        raise InvalidRequest("'suffix' is not supported.", param="suffix")
    prompts = _prompts(request)
    n = request.n or 1
    if n * len(prompts) > _MAX_CHOICES:
        raise InvalidRequest(f"'n' times the number of prompts can be at most {_MAX_CHOICES}.", param="n")
    tokens: list[list[str]] = []
    plans: list[OutputPlan] = []
    for prompt in prompts:
        limits = limits_of(
            request,
            max_tokens=_DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens,
            prompt_tokens=len(prompt),
            max_model_len=max_model_len,
        )
        text = answer([Turn("user", "".join(prompt))])
        for index in range(n):
            said, kept_limits = structured_text(request, variant(text, variation(request, index)), limits)
            tokens.append(prompt)
            plans.append(plan_output(said, kept_limits))
    reply = CompletionReply(
        envelope=envelope, plans=plans, echoes=tokens if request.echo else (), top_logprobs=request.logprobs
    )
    return Job(prompts=tokens, plans=plans, reply=reply)


def _prompts(request: CompletionRequest) -> list[list[str]]:
    rows = rows_of(request.prompt, param="prompt")
    return [tokenize(row) if isinstance(row, str) else tokens_of_ids(row) for row in rows]
