"""Log lines: valid JSON whatever is logged, no secrets in them, none lost, errors at once."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observability.context import request_id
from observability.logging import BackgroundHandler, JsonFormatter, TextFormatter, configure_logging, redacted

SECRET = "Zx9-secret_0123456789"


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "test", logging.INFO, __file__, 1, message, args, None, extra=extra or None
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: bearer   {SECRET}",
        f"BEARER {SECRET}, then more",
        f"Bearer {SECRET}",
        f"the key sk-{SECRET} was refused",
        f"sk-{SECRET}",
        f"sk-proj-{SECRET}",
        f"pk-{SECRET}, rk-{SECRET}",
        f'{{"key":"sk-{SECRET}"}}',
        f"redis://user:{SECRET}@host:6379/0",
        f"redis://:{SECRET}@host:6379/0",
        f"cannot reach postgresql://app:{SECRET}@db/prod?sslmode=off",
        f"host=db user=app password={SECRET} dbname=x",
        f"password = '{SECRET}'",
        f"PASSWORD: {SECRET}",
        f"api_key={SECRET}&n=1",
        f"X-Api-Key: {SECRET}",
        f'{{"api_key": "{SECRET}"}}',
        json.dumps({"headers": json.dumps({"authorization": f"Bearer {SECRET}", "api-key": SECRET})}),
    ],
)
def test_secrets_are_redacted_in_every_position(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "[redacted]" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "risk-management-report",
        "http://host:8000/v1/chat",
        "http://host:8000/path?mail=a@b.example",
        "GET /v1/models",
        "the bearer",
        "prompt_tokens=123",
        "desk-organiser-4000",
        "disk-0123456789",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_redacted_text_keeps_what_is_around_the_secret() -> None:
    assert redacted(f"redis://app:{SECRET}@h:1/0 is away") == "redis://app:[redacted]@h:1/0 is away"
    assert redacted(f"said Bearer {SECRET}, twice") == "said Bearer [redacted], twice"


def test_a_secret_is_redacted_in_the_message_the_extra_and_the_traceback() -> None:
    try:
        raise ValueError(f"bad url redis://:{SECRET}@h")
    except ValueError:
        made = logging.getLogger("test").makeRecord(
            "test",
            logging.ERROR,
            __file__,
            1,
            "key %s",
            (f"sk-{SECRET}",),
            sys.exc_info(),
            extra={"a": f"Bearer {SECRET}"},
        )
    for formatter in (JsonFormatter(), TextFormatter()):
        line = formatter.format(made)
        assert SECRET not in line
        assert line.count("[redacted]") >= 3


TEXTS = st.text(alphabet=st.characters(codec=None), max_size=60) | st.lists(
    st.sampled_from(
        [
            "Bearer ",
            "sk-abcdefghij",
            "://u:p",
            "@",
            '"',
            "\\",
            "'",
            ",",
            "password=",
            '"password":',
            'api-key":',
            ":",
            "/",
            "\n",
            "é",
            "\ud800",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=300)
@given(message=TEXTS, extra=TEXTS, request=TEXTS)
@example(message="password=", extra="password=\\", request='password\\"')
@example(message='"password":', extra='api_key="', request="Bearer \\")
def test_every_line_is_one_json_object(message: str, extra: str, request: str) -> None:
    token = request_id.set(request)
    try:
        line = JsonFormatter().format(record("%s", message, field=extra, nested={"mail": [extra]}))
    finally:
        request_id.reset(token)
    assert "\n" not in line
    parsed = json.loads(line)
    assert {"time", "level", "logger", "message", "field", "nested"} <= parsed.keys()
    assert isinstance(parsed["nested"]["mail"], list)


def test_a_json_line_names_the_request_and_what_was_passed_as_extra() -> None:
    token = request_id.set("req-1")
    try:
        parsed = json.loads(JsonFormatter().format(record("served %d", 3, status=200, odd=object)))
    finally:
        request_id.reset(token)
    assert parsed["message"] == "served 3"
    assert parsed["request_id"] == "req-1"
    assert parsed["level"] == "INFO"
    assert parsed["status"] == 200
    assert parsed["odd"] == "<class 'object'>"
    assert "exception" not in parsed


def test_a_line_outside_a_request_has_no_request_id() -> None:
    assert "request_id" not in json.loads(JsonFormatter().format(record("start")))


class Stream(io.StringIO):
    """Tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def handler(stream: Stream) -> Iterator[BackgroundHandler]:
    handler = BackgroundHandler(stream)
    yield handler
    handler.close()


def test_lines_are_written_in_the_background(handler: BackgroundHandler, stream: Stream) -> None:
    handler.emit(record("soon"))
    assert stream.written.wait(10)
    assert stream.getvalue() == "soon\n"


def test_an_error_wakes_the_writer(handler: BackgroundHandler, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observability.logging._FLUSH_INTERVAL_S", 3600)
    handler.emit(record("first"))
    assert stream.written.wait(10)  # the writer now waits for an hour, unless an error wakes it
    stream.written.clear()
    error = record("broken")
    error.levelno = logging.ERROR
    handler.emit(error)
    assert stream.written.wait(10)
    assert stream.getvalue() == "first\nbroken\n"


def test_no_line_is_lost_or_torn_while_others_flush(handler: BackgroundHandler, stream: Stream) -> None:
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            handler.flush()

    def write(name: str) -> None:
        for line in range(1500):
            handler.handle(record("%s %d", name, line))

    flushers = [threading.Thread(target=flush) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c")]
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads are switched between all the steps of an emit
    try:
        for thread in flushers + writers:
            thread.start()
        for thread in writers:
            thread.join()
    finally:
        sys.setswitchinterval(switch_interval)
        stop.set()
        for thread in flushers:
            thread.join()
    handler.flush()
    lines = stream.getvalue().splitlines()
    assert sorted(lines) == sorted(f"{name} {line}" for name in "abc" for line in range(1500))
    assert [line for line in lines if line.startswith("a")] == [f"a {line}" for line in range(1500)]


def test_closing_writes_what_is_left(stream: Stream) -> None:
    handler = BackgroundHandler(stream)
    handler.emit(record("last words"))
    handler.close()
    assert stream.getvalue() == "last words\n"


def test_a_broken_stream_does_not_stop_the_writer(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = threading.Event()

    def fail(_: str) -> int:
        broken.set()
        raise BrokenPipeError

    with monkeypatch.context() as patched:
        patched.setattr(stream, "write", fail)
        handler = BackgroundHandler(stream)
        handler.emit(record("nobody hears this"))
        assert broken.wait(10)
    handler.emit(record("this again"))
    assert stream.written.wait(10)
    assert stream.getvalue() == "this again\n"
    handler.close()


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_root_logger")
def test_configured_logging_sends_everything_through_one_handler(stream: Stream) -> None:
    configure_logging(level="INFO", as_json=False, stream=Stream())
    configure_logging(level="WARNING", as_json=True, stream=stream)
    root = logging.getLogger()
    assert len(root.handlers) == 1
    logging.getLogger("uvicorn.error").warning("from the server")
    logging.getLogger("uvicorn.access").warning("twice is too much")
    logging.getLogger("anything").info("too quiet")
    root.handlers[0].flush()
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["from the server"]
