"""`POST /v1/chat/completions`: what is checked here; fields not named pass through to the engine as they came."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.schemas.rag import RagOptions
from api.schemas.sampling import Sampling, StreamOptions, check_sampling
from api.schemas.tokens import estimated_tokens

# What a picture costs in tokens before the engine says it exactly: OpenAI's figure for one of 1024 x 1024.
_IMAGE_TOKENS = 765
# The tags around each message that chat templates add.
_TOKENS_PER_MESSAGE = 4
# Far more than conversations have: each message costs the gateway some time, whatever is in it.
_MAX_MESSAGES = 10_000


class ContentPart(Struct):
    type: str
    text: str | None = None


class FunctionCall(Struct):
    name: str
    arguments: str = ""


class ToolCall(Struct):
    id: str
    type: str
    function: FunctionCall | None = None


class ChatMessage(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    def tokens(self) -> int:
        """An estimate."""
        if isinstance(self.content, str):
            tokens = estimated_tokens(self.content)
        else:
            tokens = sum(
                estimated_tokens(part.text) if part.text is not None else _IMAGE_TOKENS for part in self.content or ()
            )
        for call in self.tool_calls or ():
            if call.function is not None:
                tokens += estimated_tokens(call.function.name) + estimated_tokens(call.function.arguments)
        return tokens + _TOKENS_PER_MESSAGE


class FunctionDefinition(Struct):
    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.-]+$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct):
    type: str
    function: FunctionDefinition | None = None


class ResponseFormat(Struct):
    type: str
    json_schema: dict[str, Any] | None = None


class ChatCompletionRequest(Sampling, kw_only=True):
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=_MAX_MESSAGES)]
    stream_options: StreamOptions | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    rag: RagOptions | None = None
    session_id: str | None = None
    """For the gateway, which takes it out: docs/reference/sessions.md."""

    def problem(self) -> tuple[str, str] | None:
        """(parameter, what is wrong) where the types alone do not tell."""
        if self.top_logprobs is not None and not self.logprobs:
            return "top_logprobs", "top_logprobs needs logprobs to be true"
        for index, message in enumerate(self.messages):
            if message.content is None and message.role not in ("assistant", "function"):
                return f"messages[{index}].content", f"a {message.role} message needs content"
            if message.role == "tool" and message.tool_call_id is None:
                return f"messages[{index}].tool_call_id", "a tool message needs tool_call_id"
        if isinstance(self.tool_choice, str) and self.tool_choice not in ("none", "auto", "required"):
            return "tool_choice", "tool_choice must be none, auto, required or a tool"
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            return "tool_choice", "tool_choice needs tools"
        return check_sampling(self)

    @property
    def output_limit(self) -> tuple[str, int] | None:
        """(parameter, tokens) of the client's limit on each choice: the larger, for an engine may know only one."""
        limits = {"max_completion_tokens": self.max_completion_tokens, "max_tokens": self.max_tokens}
        given = [(param, tokens) for param, tokens in limits.items() if tokens is not None]
        return max(given, key=lambda limit: limit[1], default=None)

    @property
    def choices(self) -> int:
        return self.n or 1

    @property
    def generations(self) -> int:
        return self.n or 1

    def prompt_tokens(self) -> int:
        """An estimate, for reserving; the engine counts."""
        return sum(message.tokens() for message in self.messages)
