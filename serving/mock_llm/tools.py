"""Forced tool calls: which tool is called, and with what arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from serving.mock_llm.errors import InvalidRequest
from serving.mock_llm.structured.build import build
from serving.mock_llm.structured.check import SchemaError
from serving.mock_llm.terms import terms_of
from serving.mock_llm.wire.requests import NamedToolChoice

if TYPE_CHECKING:
    from serving.mock_llm.structured.check import Schema
    from serving.mock_llm.wire.requests import ChatRequest, Function


def forced_function(request: ChatRequest, question: str) -> Function | None:
    """The function the request forces: the named one, or for "required" the one whose words fit the question best.

    None when the model may answer in words, which is what this one then does. Raises InvalidRequest.
    """
    if request.tool_choice in (None, "none", "auto"):
        return None
    functions = [tool.function for tool in request.tools or ()]
    if not functions:
        raise InvalidRequest("'tool_choice' forces a call, but there are no 'tools'.", param="tool_choice")
    if isinstance(request.tool_choice, NamedToolChoice):
        name = request.tool_choice.function.name
        for function in functions:
            if function.name == name:
                return function
        raise InvalidRequest(f"'tool_choice' names {name!r}, which is not among the 'tools'.", param="tool_choice")
    wanted = terms_of(question).words

    def overlap(function: Function) -> int:
        return len(wanted & terms_of(f"{function.name.replace('_', ' ')} {function.description or ''}").words)

    return max(functions, key=overlap)


def arguments_of(function: Function, text: str) -> str:
    parameters: Schema = {"type": "object"} if function.parameters is None else function.parameters
    return instance_text(parameters, text, param="tools")


def instance_text(schema: Schema, text: str, *, param: str) -> str:
    """A JSON value that fits `schema`, as text. Raises InvalidRequest."""
    try:
        return msgspec.json.encode(build(schema, text)).decode()
    except SchemaError as error:
        raise InvalidRequest(f"The JSON schema cannot be followed: {error}.", param=param) from None
