"""`/v1/chat/completions`: from a request to the plans the engine carries out and the reply's format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from serving.mock_llm.answers import answer, variant
from serving.mock_llm.errors import ContextOverflow, InvalidRequest
from serving.mock_llm.outputs import OutputLimits, OutputPlan, plan_output
from serving.mock_llm.prompts import chat_tokens, turns_of
from serving.mock_llm.tools import arguments_of, forced_function, instance_text
from serving.mock_llm.wire.replies import ChatReply, Envelope, ReplyFormat, ToolCall
from serving.mock_llm.wire.requests import NamedToolChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.mock_llm.wire.requests import ChatRequest, Sampling


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an endpoint asks of the engine, prompt and plan for each choice, and how its reply is written."""

    prompts: Sequence[Sequence[str]]
    plans: Sequence[OutputPlan]
    reply: ReplyFormat


def chat_job(request: ChatRequest, envelope: Envelope, *, max_model_len: int) -> Job:
    """Raises InvalidRequest."""
    turns = turns_of(request.messages)
    prompt = chat_tokens(turns, request.tools)
    limits = limits_of(
        request,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        prompt_tokens=len(prompt),
        max_model_len=max_model_len,
    )
    if request.top_logprobs and not request.logprobs:
        raise InvalidRequest("'top_logprobs' is only allowed when 'logprobs' is true.", param="top_logprobs")
    text = answer(turns)
    function = forced_function(request, turns[-1].text)
    plans: list[OutputPlan] = []
    for index in range(request.n or 1):
        said = variant(text, variation(request, index))
        if function is not None:
            plans.append(plan_output(arguments_of(function, said), _ending_by_itself(limits)))
        else:
            plans.append(plan_output(*structured_text(request, said, limits)))
    calls = [ToolCall(call_id=new_id("call"), name=function.name) for _ in plans] if function else None
    reply = ChatReply(
        envelope=envelope,
        plans=plans,
        tool_calls=calls,
        stop_means="tool_calls" if calls and not isinstance(request.tool_choice, NamedToolChoice) else "stop",
        top_logprobs=(request.top_logprobs or 0) if request.logprobs else None,
    )
    return Job(prompts=[prompt] * len(plans), plans=plans, reply=reply)


def limits_of(request: Sampling, *, max_tokens: int | None, prompt_tokens: int, max_model_len: int) -> OutputLimits:
    """Raises ContextOverflow when prompt and output do not fit the model, in vLLM's words."""
    room = max_model_len - prompt_tokens
    if room < 1 or (max_tokens or 0) > room:
        asked = "" if not max_tokens else f" and {max_tokens} output tokens"
        raise ContextOverflow(
            f"This model's maximum context length is {max_model_len} tokens. However, your request has {prompt_tokens} "
            f"input tokens{asked}. Please reduce the length of the input messages or of the completion.",
            param="max_tokens" if room >= 1 else None,
        )
    limit = room if max_tokens is None else max_tokens
    if request.min_tokens and request.min_tokens > limit:
        raise InvalidRequest(
            f"'min_tokens' {request.min_tokens} is more than the {limit} tokens that may be generated.",
            param="min_tokens",
        )
    return OutputLimits(
        max_tokens=limit,
        min_tokens=request.min_tokens or 0,
        ignore_eos=bool(request.ignore_eos),
        stop=request.stop_strings(),
    )


def variation(request: Sampling, index: int) -> int:
    """Which wording choice `index` gets; at temperature 0 all choices and seeds agree."""
    return 0 if request.temperature == 0 else (request.seed or 0) + index


def structured_text(request: Sampling, text: str, limits: OutputLimits) -> tuple[str, OutputLimits]:
    """`text` in the request's `response_format`, and the limits that go with it."""
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return text, limits
    if wanted.type == "json_object":
        return msgspec.json.encode({"answer": text}).decode(), _ending_by_itself(limits)
    if wanted.json_schema is None or wanted.json_schema.schema is None:
        raise InvalidRequest("'response_format' of type json_schema needs json_schema.schema.", param="response_format")
    instance = instance_text(wanted.json_schema.schema, text, param="response_format")
    return instance, _ending_by_itself(limits)


def new_id(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex}"


def _ending_by_itself(limits: OutputLimits) -> OutputLimits:
    """A grammar ends the output where the JSON value ends, whatever the request says about going on."""
    return replace(limits, min_tokens=0, ignore_eos=False)
