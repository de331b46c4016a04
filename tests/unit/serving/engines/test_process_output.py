from __future__ import annotations

from pathlib import Path

from serving.engines.process_output import ProcessOutput
from serving.vllm_failures import cause

LOGGED = """\
(EngineCore pid=28353) ERROR 11-21 11:17:57 [core.py:1512] EngineCore failed to start.
(EngineCore pid=28353) ERROR 11-21 11:17:57 [core.py:1512] Traceback (most recent call last):
(EngineCore pid=28353) ERROR 11-21 11:17:57 [core.py:1512]   File "core.py", line 1496, in run_engine_core
(EngineCore pid=28353) ERROR 11-21 11:17:57 [core.py:1512] ValueError: No available memory for the cache blocks.
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def test_only_what_came_since_is_read_and_without_prefixes(tmp_path: Path) -> None:
    log = tmp_path / "worker.out"
    log.write_text("ValueError: an older one\n")
    output = ProcessOutput((log, tmp_path / "missing"))
    with log.open("a") as file:
        file.write(LOGGED)
    assert output.text().splitlines()[0] == "EngineCore failed to start."
    assert "older" not in output.text()
    assert cause(output.text()) == "No available memory for the cache blocks."


def test_only_the_end_of_much_output_is_read(tmp_path: Path) -> None:
    log = tmp_path / "worker.out"
    log.write_text("")
    output = ProcessOutput((log,))
    log.write_text("x" * 1_000_000 + "\nValueError: the end\n")
    assert len(output.text()) < 300_000
    assert cause(output.text()) == "the end"


def test_output_that_goes_to_no_file_is_not_read() -> None:
    assert ProcessOutput((Path("/dev/null"),)).text() == ""
