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
# An orderly end leaves an EngineDeadError as well; these do not come with one.
_DEATHS = ("engine core exited unexpectedly", "EngineCore encountered a fatal error")
_ERROR = "ERROR: "
_MAX_FILE_BYTES = 2**20


def logging_config(default: Mapping[str, Any], *, errors: Path) -> dict[str, Any]:
    """`default`, which is vLLM's own (`vllm.logger.DEFAULT_LOGGING_CONFIG`); warnings and errors also go to a file."""
    config = copy.deepcopy(dict(default))
    config["formatters"]["plain"] = {"format": "%(levelname)s: %(message)s"}
    config["handlers"]["errors"] = {
        "class": "logging.handlers.RotatingFileHandler",
        "filename": str(errors),
        # A server that runs for months must not fill the disk with what is read once.
        "maxBytes": _MAX_FILE_BYTES,
        "backupCount": 1,
        "level": "WARNING",
        "formatter": "plain",
    }
    config["loggers"]["vllm"]["handlers"].append("errors")
    return config


def engine_died(errors: str) -> bool:
    """Whether the engine ended while its server went on. `errors`: what the file holds."""
    return any(death in errors for death in _DEATHS)


def cause(errors: str) -> str | None:
    """The message of the first exception that is none's echo, else the first error; None if nothing was logged."""
    lines = [line.rstrip() for line in errors.splitlines() if not any(echo in line for echo in _ECHOES)]
    for line in lines:
        if found := _EXCEPTION.match(line):
            return _told(found["type"], found["message"])
    return next((line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)), None)


def sentence(error: BaseException) -> str:
    """An exception's message in one line. Of pydantic's list of problems, the first."""
    text = str(error)
    if problem := re.search(r"Value error, (.+?)(?: \[type=|$)", text, flags=re.DOTALL):
        text = problem[1]
    return _told(type(error).__name__, " ".join(text.split()))


def _told(kind: str, message: str | None) -> str:
    # A KeyError's message is its key alone.
    return f"{kind}: {message}" if message and kind == "KeyError" else message or kind
