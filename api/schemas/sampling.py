"""What chat and plain completions have in common."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

_Penalty = Annotated[float, Meta(ge=-2, le=2)]


class StreamOptions(Struct):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class Sampling(Struct, kw_only=True):
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None


def check_sampling(request: Sampling) -> tuple[str, str] | None:
    """(parameter, what is wrong) where the types alone do not tell."""
    if request.stream_options is not None and not request.stream:
        return "stream_options", "stream_options needs stream to be true"
    return None
