from __future__ import annotations

import io

from serving.tools.benchmark.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_written_where_nobody_watches() -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock=lambda: 0.0)
    progress.update("load 4", done=1, total=2, failed=0)
    progress.clear()
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_line_that_is_written_over() -> None:
    stream = Terminal()
    progress = Progress(stream, clock=lambda: 0.0)
    progress.update("load 4", done=15, total=30, failed=2)
    assert stream.getvalue() == f"\r\x1b[Kload 4 [{'#' * 15}{'.' * 15}] 15/30, 2 failed"
    progress.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_at_most_ten_lines_a_second_and_the_last_one_always() -> None:
    stream, now = Terminal(), [0.0]
    progress = Progress(stream, clock=lambda: now[0])
    for done in range(101):
        now[0] = done / 100
        progress.update("load 1", done=done, total=100, failed=0)
    shown = stream.getvalue().count("\r")
    assert 10 <= shown <= 12
    assert stream.getvalue().endswith("100/100")
