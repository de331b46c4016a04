"""Server-sent events, as far as the OpenAI wire format uses them: `data:` lines, ended by an empty line."""

from __future__ import annotations


class EventBufferOverflowError(ValueError):
    """One event is larger than any engine sends; keeping on reading would fill the memory."""


class EventParser:
    """Incremental: feed bytes as they arrive, get the payloads of the events that are complete."""

    def __init__(self, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        self._pending = b""
        self._held_back = b""
        self._max_event_bytes = max_event_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads (joined `data:` lines) of the events that `data` completes; comments and the like are dropped."""
        if self._held_back:
            data = self._held_back + data
            self._held_back = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # it may be the first half of CRLF, so it waits for the next read
                data, self._held_back = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        blocks = (self._pending + data if self._pending else data).split(b"\n\n")
        self._pending = blocks.pop()
        if len(self._pending) > self._max_event_bytes and not blocks:  # events before it are handed out first
            raise EventBufferOverflowError(f"an event of more than {self._max_event_bytes} bytes")
        return [payload for block in blocks if (payload := _payload(block)) is not None]


def _payload(block: bytes) -> bytes | None:
    block = block.lstrip(b"\n")
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
