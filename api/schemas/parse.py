"""From a request's bytes to a checked request, or an error that names the parameter."""

from __future__ import annotations

import re
from typing import Any, Protocol, TypeVar

import msgspec

from api.errors import InvalidRequest
from api.schemas.chat import ChatCompletionRequest
from api.schemas.completions import CompletionRequest
from api.schemas.embeddings import EmbeddingRequest
from api.schemas.sampling import StreamOptions
from serving.types import Endpoint, Json

_T = TypeVar("_T")
_decode = msgspec.json.Decoder().decode
# msgspec ends its messages with where it was: "... - at `$.messages[0].role`".
_LOCATION = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_FIELD = re.compile(r"`(\w+)`")
# A client's own word, so anything, and as long as it likes.
_UNKNOWN = re.compile(r"`(.*)`", re.DOTALL)
_MAX_NAME_CHARS = 100


class CompletionLike(Protocol):
    """What the pipeline needs to know of a request, whichever its endpoint."""

    @property
    def model(self) -> str | None: ...
    @property
    def stream(self) -> bool | None: ...
    @property
    def stream_options(self) -> StreamOptions | None: ...
    @property
    def output_limit(self) -> tuple[str, int] | None: ...
    @property
    def choices(self) -> int:
        """How many the answer has."""
        ...

    @property
    def generations(self) -> int:
        """How many the engine writes to choose those from: each may be as long as the output limit."""
        ...

    def prompt_tokens(self) -> int: ...
    def problem(self) -> tuple[str, str] | None: ...


REQUEST_TYPES: dict[Endpoint, type[ChatCompletionRequest | CompletionRequest | EmbeddingRequest]] = {
    Endpoint.CHAT: ChatCompletionRequest,
    Endpoint.COMPLETIONS: CompletionRequest,
    Endpoint.EMBEDDINGS: EmbeddingRequest,
}


def parse_json(raw: bytes) -> Json:
    """The JSON object in a body. Raises InvalidRequest."""
    try:
        body: Any = _decode(raw)
    except UnicodeDecodeError as error:
        raise InvalidRequest("the body is not valid UTF-8", code="invalid_utf8", param="body") from error
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json", param="body") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}", code="invalid_json", param="body") from error
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json", param="body")
    return body


def check_request(endpoint: Endpoint, body: Json) -> CompletionLike:
    """`body` as the endpoint's request. Raises InvalidRequest that names the parameter."""
    request: CompletionLike = converted(body, REQUEST_TYPES[endpoint])
    if (problem := request.problem()) is not None:
        param, message = problem
        raise InvalidRequest(message, param=param, code="invalid_value")
    return request


def converted(body: Json, kind: type[_T]) -> _T:
    """`body` as `kind`, a struct. Raises InvalidRequest that names the parameter."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json", param="body") from error


def _invalid(message: str) -> InvalidRequest:
    location = _LOCATION.search(message)
    text = message[: location.start()] if location else message
    path = location.group(1) if location else ""
    if text.startswith("Object missing required field"):
        field = _FIELD.search(text)
        param = ".".join(filter(None, (path, field.group(1) if field else "")))
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if text.startswith("Object contains unknown field"):
        field = _UNKNOWN.search(text)
        param = ".".join(filter(None, (path, field.group(1)[:_MAX_NAME_CHARS] if field else "")))
        return InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    return InvalidRequest(f"Invalid value for '{path}': {_lowered(text)}.", param=path or "body", code="invalid_value")


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
