"""What vLLM's processes wrote when they ended, and the sentence that is left of it."""

from __future__ import annotations

import logging
import logging.config
from pathlib import Path

import pytest

from serving.vllm_failures import cause, engine_died, logging_config, sentence

# Shortened from vLLM 0.32.
OUT_OF_MEMORY = """\
ERROR: WorkerProc hit an exception.
Traceback (most recent call last):
  File "vllm/v1/worker/cpu_worker.py", line 219, in determine_available_memory
    raise ValueError(
ValueError: Available memory on node 0 (10.32/19.46 GiB) is less than requested memory for kv (838190.32 GiB).
Traceback (most recent call last):
  File "vllm/v1/executor/multiproc_executor.py", line 1055, in _execute_worker
ValueError: Available memory on node 0 (10.32/19.46 GiB) is less than requested memory for kv (838190.32 GiB).

ERROR: EngineCore failed to start.
Traceback (most recent call last):
  File "vllm/v1/engine/core.py", line 1482, in run_engine_core
RuntimeError: Worker failed with error 'Available memory on node 0', please check the stack trace above
ERROR: Worker proc VllmWorker-0 died unexpectedly (exit code: None), shutting down executor.
"""
ENDED = """\
ERROR: AsyncLLM output_handler failed.
Traceback (most recent call last):
  File "vllm/v1/engine/core_client.py", line 1235, in get_output_async
    raise self._format_exception(outputs) from None
vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.
"""
KILLED = f"""\
WARNING: [shutdown] MPClient: engine core exited unexpectedly; starting cleanup
{ENDED}"""
WORKER_KILLED = """\
ERROR: Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.
ERROR: EngineCore encountered a fatal error.
Traceback (most recent call last):
  File "vllm/v1/executor/multiproc_executor.py", line 301, in result
RuntimeError: cancelled
"""


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (
            OUT_OF_MEMORY,
            "Available memory on node 0 (10.32/19.46 GiB) is less than requested memory for kv (838190.32 GiB).",
        ),
        (
            f"{WORKER_KILLED}{ENDED}",
            "Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.",
        ),
        ("Traceback (most recent call last):\ntorch.OutOfMemoryError: CUDA out of memory.\n", "CUDA out of memory."),
        ("Traceback (most recent call last):\nMemoryError\n", "MemoryError"),
        ("Traceback (most recent call last):\nKeyError: 'model.norm'\n", "KeyError: 'model.norm'"),
        ("WARNING: Triton is not installed.\nERROR: it is full\n", "it is full"),
        ("WARNING: Triton is not installed.\n", None),
        ("", None),
    ],
)
def test_the_cause_is_the_first_exception_that_is_not_an_echo(errors: str, expected: str | None) -> None:
    assert cause(errors) == expected


@pytest.mark.parametrize("errors", [ENDED, KILLED])
def test_an_engine_that_was_ended_leaves_only_echoes(errors: str) -> None:
    assert cause(errors) is None


def test_an_orderly_end_is_no_death() -> None:
    assert not engine_died(ENDED)
    assert engine_died(KILLED)
    assert engine_died(f"{WORKER_KILLED}{ENDED}")


def test_an_exception_becomes_one_line() -> None:
    assert sentence(OSError("no such\n  file")) == "no such file"
    assert sentence(KeyError("a")) == "KeyError: 'a'"
    assert sentence(MemoryError()) == "MemoryError"
    listed = (
        "1 validation error for ModelConfig\n  Value error, max_model_len is\n  too large [type=value_error, input]\n"
    )
    assert sentence(ValueError(listed)) == "max_model_len is too large"


def test_errors_go_to_the_file_and_nothing_else_is_changed(tmp_path: Path) -> None:
    default = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "handlers": {"vllm": {"class": "logging.NullHandler"}},
        "loggers": {"vllm": {"handlers": ["vllm"], "level": "INFO", "propagate": False}},
    }
    errors = tmp_path / "errors.log"
    logging.config.dictConfig(logging_config(default, errors=errors))
    logger = logging.getLogger("vllm")
    try:
        logger.info("loading")
        try:
            raise ValueError("no room")
        except ValueError:
            logger.exception("failed")
    finally:
        for handler in logger.handlers:
            handler.close()
        logger.handlers.clear()
        logger.propagate = True
    assert "loading" not in errors.read_text()
    assert cause(errors.read_text()) == "no room"
    assert default["handlers"] == {"vllm": {"class": "logging.NullHandler"}}
