"""Reads one document for a gateway (wire.py) and ends.

A process of its own because parsers of foreign formats take what time and memory their input says, and crash. It limits
itself before it looks at the document, needs no network, no files and no secret, and gives way to all else.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from rag.errors import DocumentError, DocumentTooLarge
from rag.parsing.document import read
from rag.parsing.wire import End, Message, Order, PieceRead, refusal
from rag.types import Piece

_NICENESS = 5
# Beyond the parent's own patience, so that it is the parent who says what happened.
_GRACE_S = 2


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    _limit(order)
    out = sys.stdout.buffer
    try:
        _send_all(order, out)
    except DocumentError as error:
        _send(out, refusal(error))
    except MemoryError:
        _send(out, refusal(DocumentTooLarge("The document takes more memory than one document may.")))
    except RecursionError:
        _send(out, refusal(DocumentTooLarge("The document is nested too deeply.")))
    out.flush()
    # Without tearing down: what a parser holds of a large document takes its time to be freed.
    os._exit(0)


def _send_all(order: Order, out: BinaryIO) -> None:
    pieces = 0
    for part in read(sys.stdin.buffer.read(), order):
        if isinstance(part, Piece):
            pieces += 1
            _send(out, PieceRead(text=part.text, headings=part.headings, page=part.page))
        else:
            _send(out, part)
    _send(out, End(pieces=pieces))


def _send(out: BinaryIO, message: Message) -> None:
    out.write(msgspec.json.encode(message) + b"\n")


def _limit(order: Order) -> None:
    os.nice(_NICENESS)
    seconds = math.ceil(order.timeout_s) + _GRACE_S
    signal.alarm(seconds)
    for what, most in (
        (resource.RLIMIT_AS, order.memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard),) * 2)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # rather this process than the gateway


if __name__ == "__main__":
    main()
