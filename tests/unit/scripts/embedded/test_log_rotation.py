from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.embedded.log_rotation import rotate

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("x" * 10)
    assert not rotate(log, limit_bytes=10)
    assert log.read_text() == "x" * 10
    assert not rotate(tmp_path / "missing.log")


def test_a_writer_that_holds_the_log_open_goes_on_in_the_emptied_file(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"first\n")
        assert rotate(log, limit_bytes=3)
        writer.write(b"second\n")
    assert (tmp_path / "a.log.1").read_bytes() == b"first\n"
    assert log.read_bytes() == b"second\n"


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for text in ("one", "two", "three", "four"):
        log.write_text(text)
        assert rotate(log, limit_bytes=1, kept_files=2)
    assert (tmp_path / "a.log.1").read_text() == "four"
    assert (tmp_path / "a.log.2").read_text() == "three"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
