"""How log lines are written: none lost or torn, errors at once, and nothing waits for a stream that nobody reads."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.logging import (
    BackgroundHandler,
    DescriptorStream,
    JsonFormatter,
    TextFormatter,
    configure_logging,
)


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord("test", logging.INFO, __file__, 1, message, args, None)


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


class StuckStream(io.StringIO):
    """Nobody reads it: the first line is stuck until somebody does."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = threading.Event()
        self.reader = threading.Event()

    def write(self, text: str) -> int:
        self.stuck.set()
        self.reader.wait(60)
        return super().write(text)


@pytest.fixture
def stuck_stream() -> Iterator[StuckStream]:
    stream = StuckStream()
    yield stream
    stream.reader.set()


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_lines_that_nobody_reads_are_bounded_and_counted(
    stuck_stream: StuckStream, formatter: logging.Formatter
) -> None:
    handler = BackgroundHandler(stuck_stream, most_waiting=3)
    handler.setFormatter(formatter)
    handler.emit(record("first"))
    assert stuck_stream.stuck.wait(10)
    for number in range(5):
        handler.emit(record("line %d", number))
        handler.write_event("access", f"event {number}", {})
    assert len(handler._lines) == 3
    stuck_stream.reader.set()
    handler.flush()
    handler.emit(record("after"))
    handler.close()
    *lines, dropped, after = stuck_stream.getvalue().splitlines()
    expected = ("first", "line 0", "event 0", "line 1")
    assert all(name in line for name, line in zip(expected, lines, strict=True))
    assert "log lines were dropped" in dropped
    assert "WARNING" in dropped
    assert '"dropped":7' in dropped or "dropped=7" in dropped
    assert "after" in after


def test_closing_does_not_wait_for_ever_for_a_reader(
    stuck_stream: StuckStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observability.logging._LAST_WORDS_S", 0.05)
    handler = BackgroundHandler(stuck_stream)
    handler.emit(record("unheard"))
    assert stuck_stream.stuck.wait(10)

    def shut_down() -> None:  # as the standard library does it
        handler.flush()
        handler.close()

    ended = threading.Thread(target=shut_down, daemon=True)
    ended.start()
    ended.join(30)
    assert not ended.is_alive()
    assert stuck_stream.getvalue() == ""


def test_a_process_whose_standard_error_nobody_reads_ends_as_if_somebody_did() -> None:
    program = """
        import logging
        from observability.logging import configure_logging
        configure_logging(level="INFO", as_json=True)
        for number in range(20_000):
            logging.info("line %d", number)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE) as process:
        assert process.wait(60) == 0


def test_a_descriptor_gets_every_byte(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        DescriptorStream(file.fileno()).write("é \ud800\n")
    assert (tmp_path / "log").read_text("utf-8") == "é \\ud800\n"


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
