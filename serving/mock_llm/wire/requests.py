"""Request bodies. Unknown fields are ignored, as vLLM ignores them; a wrong one is an error that names it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serving.mock_llm.errors import InvalidRequest

Count = Annotated[int, Meta(ge=1)]
NonNegative = Annotated[int, Meta(ge=0)]
Choices = Annotated[int, Meta(ge=1, le=128)]
StopStrings = str | list[str] | None
# A text, texts, the token ids of one text or of several; `rows_of` checks that they are not mixed.
TextsOrIds = str | list[str | int | list[int]]
MAX_STOP_STRINGS = 16


class ContentPart(Struct, kw_only=True):
    type: str
    text: str | None = None


class Message(Struct, kw_only=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Function(Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | bool | None = None


class Tool(Struct, kw_only=True):
    function: Function
    type: Literal["function"] = "function"


class NamedFunction(Struct, kw_only=True):
    name: str


class NamedToolChoice(Struct, kw_only=True):
    function: NamedFunction
    type: Literal["function"] = "function"


class JsonSchemaFormat(Struct, kw_only=True):
    schema: dict[str, Any] | bool | None = None
    name: str = "response"


class ResponseFormat(Struct, kw_only=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class StreamOptions(Struct, kw_only=True):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    """With `include_usage`: each chunk says what was used so far, as vLLM's do."""


class Sampling(Struct, kw_only=True):
    """What chat and text completions have in common. `temperature` and `top_p` are checked; 0 gives one answer only."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Choices | None = None
    min_tokens: NonNegative | None = None
    ignore_eos: bool | None = None
    stop: StopStrings = None
    seed: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    response_format: ResponseFormat | None = None

    def stop_strings(self) -> list[str]:
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if not all(stop):
            raise InvalidRequest("'stop' cannot contain an empty string.", param="stop")
        if len(stop) > MAX_STOP_STRINGS:
            raise InvalidRequest(f"'stop' can have at most {MAX_STOP_STRINGS} strings.", param="stop")
        return stop

    def wants_usage(self) -> bool:
        if self.stream_options is not None and not self.stream:
            raise InvalidRequest("'stream_options' is only allowed when 'stream' is true.", param="stream_options")
        return bool(self.stream_options and self.stream_options.include_usage)

    def wants_usage_in_chunks(self) -> bool:
        return self.wants_usage() and bool(self.stream_options and self.stream_options.continuous_usage_stats)


class ChatRequest(Sampling, kw_only=True):
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


class CompletionRequest(Sampling, kw_only=True):
    # vLLM and OpenAI take a missing prompt for the start of a document; here it is required, so that a slip is seen.
    prompt: TextsOrIds
    max_tokens: NonNegative | None = None
    echo: bool | None = None
    suffix: str | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


class EmbeddingRequest(Struct, kw_only=True):
    input: TextsOrIds
    model: str | None = None
    dimensions: Count | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | UnsetType | None = UNSET


def rows_of(given: TextsOrIds, *, param: str) -> list[str | list[int]]:
    """One text, or the token ids of one, for each input. Raises InvalidRequest when one is empty or they are mixed."""
    if isinstance(given, str):
        rows: list[str | list[int]] = [given]
    elif given and all(isinstance(row, int) for row in given):
        rows = [[row for row in given if isinstance(row, int)]]
    else:
        rows = [row for row in given if not isinstance(row, int)]
        if len(rows) < len(given) or len({type(row) for row in rows}) > 1:
            raise InvalidRequest(f"{param!r} mixes texts and token ids.", param=param)
    if not rows or not all(rows):
        raise InvalidRequest(f"{param!r} cannot be empty, nor contain an empty text.", param=param)
    return rows


Body = TypeVar("Body", ChatRequest, CompletionRequest, EmbeddingRequest)

_PATH = re.compile(r" - at `\$\.?(.*?)`$")


def decode(body: bytes, kind: type[Body]) -> Body:
    """Raises InvalidRequest, with the offending field as `param`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message = str(error)
        path = _PATH.search(message)
        missing = re.search(r"missing required field `(\w+)`", message)
        prefix = path.group(1) if path else ""
        parts = [part for part in (prefix, missing.group(1) if missing else "") if part]
        text = _PATH.sub("", message)
        param = ".".join(parts) or None
        raise InvalidRequest(f"{text}{f' in {param!r}' if param else ''}.", param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from None
