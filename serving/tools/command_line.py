"""What the command-line tools share: errors in one sentence, exit codes, numbers in arguments, where output goes."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells say it."""

STANDARD_OUTPUT = "-"

Number = TypeVar("Number", int, float)


class InputError(ValueError):
    """What the user gave cannot be used; the message is one sentence for them."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage of thirty options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self.prog.rpartition('.')[2]}: {message} (see --help)\n")


def run(main: Callable[[Sequence[str] | None], int], *, prog: str, arguments: Sequence[str] | None = None) -> int:
    """The exit code of `main`; an InputError becomes its sentence on standard error and exit code 2, Ctrl-C 130."""
    try:
        return main(arguments)
    except InputError as error:
        say(f"{prog}: {error}", stream=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        say(f"{prog}: interrupted.", stream=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = None  # else the interpreter flushes it once more and complains
        return EXIT_OK


def say(text: str, *, stream: TextIO | None = None) -> None:
    """One line, or several, to standard output."""
    (stream or sys.stdout).write(f"{text}\n")
    (stream or sys.stdout).flush()


def deliver(report: str, document: Any, *, json_target: str | None) -> None:
    """Print the report, and write the document as JSON to a file or, as `-`, to standard output.

    In the latter case the report goes to standard error, so that standard output holds JSON alone.
    Raises InputError when the file cannot be written; `refuse_unwritable` asks that beforehand.
    """
    if json_target == STANDARD_OUTPUT:
        say(report, stream=sys.stderr)
        say(json.dumps(document, indent=1, allow_nan=False))
        return
    say(report)
    if json_target is not None:
        try:
            Path(json_target).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write --json {json_target}: {error.strerror}.") from error


def refuse_unwritable(json_target: str | None) -> None:
    """Raise InputError now rather than after the work whose result could not be written."""
    if json_target is None or json_target == STANDARD_OUTPUT:
        return
    path = Path(json_target)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"cannot write --json {json_target}: it is a folder, or in one that cannot be written to.")


def add_json_option(cli: argparse.ArgumentParser) -> None:
    cli.add_argument(
        "--json",
        metavar="FILE|-",
        help="also write the result as JSON; - is standard output, and the report then goes to standard error",
    )


def read_secret(path: str | None, *, option: str) -> str | None:
    """The first line of a file; of standard input for `-`. Keeps keys out of the list of processes.

    None for no path. Raises InputError.
    """
    if path is None:
        return None
    try:
        text = sys.stdin.readline() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {option} {path}: {error}.") from error
    if not text.strip():
        raise InputError(f"{option} {path} holds no key.")
    return text.strip().splitlines()[0].strip()


def positive_int(text: str) -> int:
    return _number(int, text, lambda value: value >= 1, "a whole number from 1 on")


def whole_number(text: str) -> int:
    return _number(int, text, lambda value: value >= 0, "a whole number from 0 on")


def positive_number(text: str) -> float:
    return _number(float, text, lambda value: 0 < value < math.inf, "a number above 0")


def non_negative_number(text: str) -> float:
    return _number(float, text, lambda value: 0 <= value < math.inf, "a number from 0 on")


def fraction(text: str) -> float:
    return _number(float, text, lambda value: 0 < value <= 1, "a number above 0 and up to 1")


def positive_ints(text: str) -> tuple[int, ...]:
    """`1,4,16`."""
    return tuple(positive_int(part.strip()) for part in text.split(","))


def positive_numbers(text: str) -> tuple[float, ...]:
    """`0.5,2`."""
    return tuple(positive_number(part.strip()) for part in text.split(","))


def _number(kind: Callable[[str], Number], text: str, holds: Callable[[Number], bool], wanted: str) -> Number:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None
    if not holds(value):
        raise argparse.ArgumentTypeError(f"{text} is not {wanted}")
    return value
