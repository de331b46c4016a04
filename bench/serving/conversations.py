"""What the load generator sends to engines: prompts of their own, with answers of a fixed length."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bench.load import Target
from bench.serving.token_stream import TokenStream

_QUESTION = "How did revenue develop against the year before?"
# Stepping through the lengths by this and taking the remainder visits all of them in a mixed order.
_STRIDE = 7919


@dataclass(kw_only=True)
class Conversations:
    """The requests of one run. Answers have `shortest` to `longest` tokens, so that streams do not march in step."""

    target: Target
    shortest: int
    longest: int
    first_number: int = 0
    streamed: bool = True
    streams: list[TokenStream] = field(default_factory=list)
    """All that were asked for, in order."""

    def __call__(self, sent: int) -> tuple[bytes, TokenStream | None]:
        """The `sent`-th request of the run and the checker of its stream."""
        number = self.first_number + sent
        tokens = self.shortest + number * _STRIDE % (self.longest - self.shortest + 1)
        body = {
            "model": self.target.model,
            # The number comes first: with a common beginning, a prefix cache would do part of the work.
            "messages": [{"role": "user", "content": f"{number:08d} {_QUESTION}"}],
            "max_tokens": tokens,
            # An end that the engine chose itself would be a token without text.
            "ignore_eos": True,
            "min_tokens": tokens,
        }
        if self.streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        request = self.target.request(json.dumps(body).encode())
        if not self.streamed:
            return request, None
        stream = TokenStream(tokens=tokens)
        self.streams.append(stream)
        return request, stream
