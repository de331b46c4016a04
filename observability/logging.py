"""Structured logs that never hold up an event loop and never hold a secret.

Lines are formatted where they are logged and written by a thread of their own, a fifth of a second later at most; an
error is written at once. A process that is killed with SIGKILL loses what it had not written yet.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from observability.context import request_id

_FLUSH_INTERVAL_S = 0.2
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


class BackgroundHandler(logging.Handler):
    """Collects formatted lines; a daemon thread writes them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        self._closed = False
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
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
        self._lines.append(_encoded(line))

    def flush(self) -> None:
        with self._writing:
            # One by one, because lines are added meanwhile.
            if lines := [self._lines.popleft() for _ in range(len(self._lines))]:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()

    def close(self) -> None:
        """Write what is left; the standard library calls this when the process ends."""
        self._closed = True
        self._wake.set()
        try:
            self.flush()
        finally:
            super().close()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(_FLUSH_INTERVAL_S)
            self._wake.clear()
            with suppress(OSError, ValueError):  # nobody reads the stream any more: there is no place to say so
                self.flush()


def configure_logging(*, level: str, as_json: bool, stream: TextIO | None = None) -> BackgroundHandler:
    """Send everything, the HTTP server's own logs too, through one handler on standard error (or `stream`)."""
    handler = BackgroundHandler(stream or sys.stderr)
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
