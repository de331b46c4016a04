"""Why an engine ended, in one sentence: found among the errors that vLLM's processes log.

vLLM runs its engine and workers as processes of their own. What ends one of them is logged there with a traceback; its
parent only learns that it is gone. So every process also writes its errors to one file, which is read at the end.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# "ValueError: the rest": what ends a traceback. Names of modules go before the exceptions that are not Python's own.
_EXCEPTION = re.compile(r"^(?:\w+\.)*(?P<type>\w*(?:Error|Exception|Interrupt))(?:: (?P<message>.*))?$")
# Those that only say that another process has an exception, and name none.
_ECHOES = ("EngineDeadError", "output_handler failed", "See root cause above", "Worker failed with error", "cancelled")
_MAX_FILE_BYTES = 2**20


def logging_config(default: Mapping[str, Any], *, errors: Path) -> dict[str, Any]:
    """vLLM's own logging configuration (`vllm.logger.DEFAULT_LOGGING_CONFIG`) that also writes errors to a file."""
    config = copy.deepcopy(dict(default))
    config["formatters"]["plain"] = {"format": "%(message)s"}
    config["handlers"]["errors"] = {
        "class": "logging.handlers.RotatingFileHandler",
        "filename": str(errors),
        # A server that runs for months must not fill the disk with what is read once.
        "maxBytes": _MAX_FILE_BYTES,
        "backupCount": 1,
        "level": "ERROR",
        "formatter": "plain",
    }
    config["loggers"]["vllm"]["handlers"].append("errors")
    return config


def engine_died(errors: str) -> bool:
    """Whether the engine ended while its server went on. `errors`: what the file holds."""
    return "EngineDeadError" in errors


def cause(errors: str) -> str | None:
    """The message of the first exception that is none's echo, else the first error; None if nothing was logged."""
    lines = [line.rstrip() for line in errors.splitlines()]
    exceptions = [found for line in lines if (found := _EXCEPTION.match(line))]
    for found in exceptions:
        if not any(echo in found.group() for echo in _ECHOES):
            return _told(found["type"], found["message"])
    plain = [line for line in lines if line and not line.startswith((" ", "Traceback", "vllm.")) and not _is_echo(line)]
    return plain[0] if plain else None


def sentence(error: BaseException) -> str:
    """An exception's message in one line. Of pydantic's list of problems, the first."""
    text = str(error)
    if problem := re.search(r"Value error, (.+?)(?: \[type=|$)", text, flags=re.DOTALL):
        text = problem[1]
    return _told(type(error).__name__, " ".join(text.split()))


def _told(kind: str, message: str | None) -> str:
    # A KeyError's message is its key alone.
    return f"{kind}: {message}" if message and kind == "KeyError" else message or kind


def _is_echo(line: str) -> bool:
    found = _EXCEPTION.match(line)
    return found is not None or any(echo in line for echo in _ECHOES)
