"""Log probabilities: made up, but always the same for the same token at the same place, and in order."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALTERNATIVES = (
    *(" the", " a", " of", ",", ".", " in", " to", " and", " is", " for", " that"),
    *(" on", " with", " was", " as", " at", " by", " or", " an", " be", " it"),
)


def token_logprob(token: str, position: int) -> float:
    """Between -0.01 and -0.51."""
    return -0.01 - zlib.crc32(f"{position}:{token}".encode("utf-8", "surrogatepass")) % 5000 / 10000


def top_logprobs(token: str, position: int, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest tokens, best first; the chosen one is always the likeliest."""
    rows = [(token, token_logprob(token, position))]
    for alternative in _ALTERNATIVES:
        if alternative != token:
            rows.append((alternative, rows[-1][1] - 1.0))
    return rows[:count]


def chat_logprobs(tokens: Sequence[str], *, first: int, top: int) -> dict[str, Any]:
    """`choices[].logprobs` of a chat reply for `tokens`, whose first is number `first` of the output."""

    def entry(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "surrogatepass"))}

    content = [
        entry(token, token_logprob(token, position))
        | {"top_logprobs": [entry(*row) for row in top_logprobs(token, position, top)]}
        for position, token in enumerate(tokens, first)
    ]
    return {"content": content, "refusal": None}


def completion_logprobs(tokens: Sequence[str], *, first: int, offset: int, top: int) -> dict[str, Any]:
    """`choices[].logprobs` of a text completion; `offset` is where the first token's text begins."""
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    positions = range(first, first + len(tokens))
    pairs = list(zip(tokens, positions, strict=True))
    return {
        "tokens": list(tokens),
        "token_logprobs": [token_logprob(token, position) for token, position in pairs],
        # As vLLM: the chosen token is always listed, and is one of the `top`.
        "top_logprobs": [dict(top_logprobs(token, position, max(top, 1))) for token, position in pairs],
        "text_offset": offsets,
    }
