"""From messages to the tokens the engine prefills and the texts an answer is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from serving.mock_llm.errors import InvalidRequest
from serving.mock_llm.tokenizer import tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.mock_llm.wire.requests import Message, Tool


@dataclass(frozen=True, slots=True)
class Turn:
    role: str
    text: str


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """Raises InvalidRequest for content that this text model cannot read."""
    return [Turn(message.role, _text(message, index)) for index, message in enumerate(messages)]


def chat_tokens(turns: Sequence[Turn], tools: Sequence[Tool] | None) -> list[str]:
    """The prompt's tokens. Each turn is tokenized alone, so equal beginnings of conversations give equal tokens."""
    tokens = ["<s>"]
    if tools:
        tokens += ["<|tools|>", *tokenize(msgspec.json.encode(tools).decode()), "<|end|>"]
    for turn in turns:
        tokens.append(f"<|{turn.role}|>")
        tokens += tokenize(turn.text)
        tokens.append("<|end|>")
    tokens.append("<|assistant|>")
    return tokens


def _text(message: Message, index: int) -> str:
    if isinstance(message.content, str):
        text = message.content
    else:
        for number, part in enumerate(message.content or ()):
            if part.type not in ("text", "input_text") or part.text is None:
                raise InvalidRequest(
                    f"This model reads text only; content part {number} of message {index} is of type {part.type!r}.",
                    param=f"messages[{index}].content[{number}]",
                )
        text = "\n".join(part.text or "" for part in message.content or ())
    if message.tool_calls:
        text += msgspec.json.encode(message.tool_calls).decode()
    return text
