"""What the load generator sends to gateways. Each prompt holds its own number: no cache can answer for the server."""

from __future__ import annotations

import json

from bench.load import Target
from bench.overhead.sse import FrameChecker

_SYSTEM_PROMPT = (
    "You are an analyst of company filings. Answer from the passages you are given, in one or two sentences, with the "
    "figure, its unit and the period it belongs to. Say so plainly when the passages do not hold the answer."
)
_NUMBER = "0000000000"
_LARGEST_NUMBER = 10 ** len(_NUMBER) - 1


class RequestTemplate:
    """The bytes of a request, of which only the number in the prompt changes."""

    def __init__(self, target: Target, *, stream: bool, max_tokens: int) -> None:
        question = f"Question {_NUMBER}: how did revenue and operating margin develop against the year before?"
        messages = [{"role": "system", "content": _SYSTEM_PROMPT}, {"role": "user", "content": question}]
        body = {"model": target.model, "messages": messages, "max_tokens": max_tokens, "stream": stream}
        request = target.request(json.dumps(body).encode())
        self._before, _, self._after = request.partition(_NUMBER.encode())

    def numbered(self, number: int) -> bytes:
        """Raises ValueError for a number of more digits than the length in the head allows for."""
        if number > _LARGEST_NUMBER:
            raise ValueError(f"prompts are numbered up to {_LARGEST_NUMBER}, got {number}")
        return b"%b%010d%b" % (self._before, number, self._after)


class Questions:
    """The requests of one run. `stream_every` 0 sends no streams, 1 only streams of `frames` frames, 10 every tenth."""

    def __init__(self, target: Target, *, first_number: int = 0, stream_every: int = 0, frames: int = 16) -> None:
        self._plain = RequestTemplate(target, stream=False, max_tokens=frames)
        self._stream = RequestTemplate(target, stream=True, max_tokens=frames)
        self._first_number = first_number
        self._stream_every = stream_every
        self._frames = frames

    def __call__(self, sent: int) -> tuple[bytes, FrameChecker | None]:
        """The request that is the `sent`-th of the run, from 1 on, and the checker of its stream."""
        number = self._first_number + sent
        if self._stream_every and sent % self._stream_every == 0:
            return self._stream.numbered(number), FrameChecker(self._frames)
        return self._plain.numbered(number), None
