"""Structured logs that never hold up an event loop and never hold a secret.

Lines are formatted where they are logged and written by a thread of their own, a fifth of a second later at most; an
error is written at once. A process that is killed with SIGKILL loses what it had not written yet. While nobody reads
the stream 10,000 lines wait; those that come after are dropped and counted.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import msgspec

from observability.context import request_id

_FLUSH_INTERVAL_S = 0.2
_MOST_WAITING = 10_000
# How long the end of the process waits for a stream that nobody reads: for `flush`, and once more for `close`.
_LAST_WORDS_S = 1.0
# What a secret looks like, wherever it turns up in a message: a bearer token, a password or API key beside its name or
# in a URL, a vendor's API key. Each begins with a literal or a small set, which `re` finds fast: every access log line
# passes here. None takes a quote that ends a string of JSON, or the backslash before one, so a line of JSON stays one.
_VALUE = r"[^\s\"'\\,;&]+"
_QUOTE = r"(?:(?:\\\\)*\\[\"']|')?"  # a quote inside a string of JSON: an odd number of backslashes before it
_SECRETS = (
    re.compile(r"([Bb](?i:earer)\s+)" + _VALUE),
    re.compile(r"([PpAa](?i:assword|pi[_-]?key)(?:\"\s*:\s*\"|" + _QUOTE + r"\s*[=:]\s*" + _QUOTE + "))" + _VALUE),
    re.compile(r"(://[^:@/\s\"\\]*:)[^@/\s\"\\]+(?=@)"),
    re.compile(r"()[spr](?<!\w[spr])k-[\w-]{8,}"),
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_encode = msgspec.json.Encoder(enc_hook=str).encode


def redacted(text: str) -> str:
    """`text` with anything that looks like a secret replaced."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[redacted]", text)
    return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request_id"] = request
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redacted(_encoded(line))


def _encoded(line: dict[str, Any]) -> str:
    try:
        return _encode(line).decode()
    except (TypeError, ValueError):  # such as half a surrogate pair: the slow encoder takes what the fast one does not
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        extra = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD)
        return redacted(f"{super().format(record)} {extra}".rstrip())


class LineStream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...


class DescriptorStream:
    """Writes straight to a file descriptor.

    `sys.stderr` keeps a lock while it writes. Were the thread below stuck in there, because nobody reads, the
    interpreter could not take that lock when it ends and would abort.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """Raises OSError."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def flush(self) -> None:
        """Nothing is kept back."""


class BackgroundHandler(logging.Handler):
    """Collects formatted lines; a daemon thread writes them."""

    def __init__(self, stream: LineStream, *, most_waiting: int = _MOST_WAITING) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._most_waiting = most_waiting
        self._dropped = 0
        self._dropping = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        # Each flush asks for one more round of the writer, which answers when it began after that and has ended.
        self._rounds = threading.Condition()
        self._asked = self._answered = 0
        self._writer = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._take(self.format(record))
        except Exception:  # noqa: BLE001 - logging must never break what it reports on; the standard hook decides
            self.handleError(record)
        if record.levelno >= logging.ERROR:
            self._wake.set()

    def write_event(self, logger_name: str, message: str, fields: Mapping[str, Any]) -> None:
        """Write one JSON line without going through `logging`, which takes five times as long: for one line a request.

        The caller answers for the fields: they are not searched for secrets.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": "INFO", "logger": logger_name, "message": message, **fields}
        self._take(_encoded(line))

    def flush(self) -> None:
        """Wait until what has been logged is written, for a second at most: nobody may be reading the stream."""
        with self._rounds:
            self._asked += 1
            round_ = self._asked
            self._wake.set()
            self._rounds.wait_for(lambda: self._answered >= round_ or not self._writer.is_alive(), _LAST_WORDS_S)

    def close(self) -> None:
        """Write what is left, as `flush` does; the standard library calls this when the process ends."""
        self._closed = True
        self._wake.set()
        self._writer.join(_LAST_WORDS_S)
        super().close()

    def _take(self, line: str) -> None:
        if len(self._lines) < self._most_waiting:
            self._lines.append(line)
            return
        with self._dropping:
            self._dropped += 1

    def _run(self) -> None:
        closed = False
        while not closed:
            self._wake.wait(_FLUSH_INTERVAL_S)
            self._wake.clear()
            closed, asked = self._closed, self._asked
            with suppress(OSError, ValueError):  # nobody reads the stream any more: there is no place to say so
                self._write_waiting()
            with self._rounds:
                self._answered = asked
                self._rounds.notify_all()

    def _write_waiting(self) -> None:
        with self._dropping:
            dropped, self._dropped = self._dropped, 0
        # One by one, because lines are added meanwhile.
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if dropped:
            lines.append(self._format_dropped(dropped))
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _format_dropped(self, count: int) -> str:
        message = "log lines were dropped: nobody read the stream"
        fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
        return self.format(logging.makeLogRecord({**fields, "dropped": count}))


def configure_logging(*, level: str, as_json: bool, stream: TextIO | None = None) -> BackgroundHandler:
    """Send everything, the HTTP server's own logs too, through one handler on standard error (or `stream`)."""
    handler = BackgroundHandler(stream or _standard_error())
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    return handler


def _standard_error() -> LineStream:
    try:
        return DescriptorStream(sys.stderr.fileno())
    except (io.UnsupportedOperation, AttributeError):  # it was replaced by something without a descriptor
        return sys.stderr
