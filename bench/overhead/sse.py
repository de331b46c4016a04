"""Checks one streamed chat completion: every numbered frame once, in order, then `[DONE]`, then nothing.

The upstream of this benchmark numbers its frames in the text it "generates" (`0 `, `1 `, …), so a frame that a gateway
loses, repeats, reorders or cuts shows, whatever the gateway does to ids, models and the borders between network reads.
"""

from __future__ import annotations

import json


class FrameChecker:
    """Feed it body bytes; `problem` is None while all is well, else one sentence."""

    def __init__(self, expected_frames: int) -> None:
        self.expected_frames = expected_frames
        self.frames = 0
        self.done = False
        self.problem: str | None = None
        self._pending = b""

    def feed(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and self.problem is None:
                self._check(line[5:].strip())

    def verdict(self) -> str | None:
        """None for a stream that came whole, else what is wrong with it; call it when the stream has ended."""
        if self.problem is not None:
            return self.problem
        if self.frames != self.expected_frames:
            return f"{self.frames} frames arrived of {self.expected_frames}"
        if not self.done:
            return "the stream ended without [DONE]"
        return None

    def _check(self, payload: bytes) -> None:
        if self.done:
            self.problem = f"data after [DONE]: {payload[:80]!r}"
        elif payload == b"[DONE]":
            self.done = True
        else:
            try:
                self._check_chunk(json.loads(payload))
            except (ValueError, KeyError, TypeError, AttributeError):
                self.problem = f"not a chat completion chunk: {payload[:120]!r}"

    def _check_chunk(self, chunk: dict[str, list[dict[str, dict[str, str | None]]]]) -> None:
        for choice in chunk["choices"]:
            text = choice["delta"].get("content")
            if not text:
                continue
            # A gateway may join frames that arrived together; the numbers still have to be whole and in order.
            for number in text.split():
                if number != str(self.frames):
                    self.problem = f"frame {number} arrived where frame {self.frames} was due"
                    return
                self.frames += 1
