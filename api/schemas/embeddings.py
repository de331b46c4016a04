"""`POST /v1/embeddings`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.schemas.tokens import Input, estimated_input_tokens, input_problem


class EmbeddingRequest(Struct, kw_only=True):
    input: Input
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    # An embedding is never streamed and writes no tokens.
    stream = False
    stream_options = None
    output_limit = None
    choices = 0
    generations = 0

    def problem(self) -> tuple[str, str] | None:
        return input_problem("input", self.input)

    def prompt_tokens(self) -> int:
        return estimated_input_tokens(self.input)
