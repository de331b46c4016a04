"""Inputs that may be texts or token ids, and how many tokens they will roughly be."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from serving.types import TextSize

_MAX_INPUTS = 2048
# More than any model's context, and few enough to be looked at in a moment.
_MAX_TOKEN_IDS = 2_097_152
_TokenIds = list[Annotated[int, Meta(ge=0)]]

# A text, token ids, or a list of either kind, which `input_problem` tells apart.
Input = str | Annotated[list[Any], Meta(max_length=_MAX_TOKEN_IDS)]
_CHARACTERS_PER_TOKEN = 4
_BYTES_PER_TOKEN = 3


def estimated_tokens(text: str) -> int:
    """English is about four characters a token; other scripts are denser, about three bytes of UTF-8."""
    if text.isascii():
        return len(text) // _CHARACTERS_PER_TOKEN + 1
    return len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN + 1


def estimated_output_tokens(size: TextSize) -> int:
    """The same of a text that came in pieces; 0 of none."""
    if not size.utf8_bytes:
        return 0
    return size.utf8_bytes // (_CHARACTERS_PER_TOKEN if size.ascii_only else _BYTES_PER_TOKEN) + 1


def estimated_input_tokens(value: str | list[Any]) -> int:
    if isinstance(value, str):
        return estimated_tokens(value)
    if isinstance(value[0], int):
        return len(value)
    return sum(estimated_tokens(part) if isinstance(part, str) else len(part) for part in value)


def input_problem(param: str, value: str | list[Any]) -> tuple[str, str] | None:
    """(parameter, what is wrong) unless `value` is a text, token ids, or a list of either kind."""
    if isinstance(value, str):
        return None
    if not value:
        return param, f"{param} must not be empty"
    if _is_token_ids(value):
        return None
    if len(value) > _MAX_INPUTS:
        return param, f"{param} holds {len(value)} inputs, at most {_MAX_INPUTS} are allowed"
    first = value[0]
    if isinstance(first, list):
        count = sum(len(part) for part in value if isinstance(part, list))
        if count > _MAX_TOKEN_IDS:
            return param, f"{param} holds {count} token ids, at most {_MAX_TOKEN_IDS} are allowed"
    for index, part in enumerate(value):
        if isinstance(part, str) and isinstance(first, str):
            continue
        if isinstance(part, list) and isinstance(first, list) and part and _is_token_ids(part):
            continue
        return (
            f"{param}[{index}]",
            f"{param} must be a string, an array of strings, of token ids, or of arrays of these",
        )
    return None


def _is_token_ids(value: list[Any]) -> bool:
    try:
        msgspec.convert(value, _TokenIds)  # a loop in Python over a million of them would take a tenth of a second
    except msgspec.ValidationError:
        return False
    return True
