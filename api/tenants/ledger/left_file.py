"""Files that a worker holds locked for as long as it lives: whoever gets the lock of one looks after what it left."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock_if_left(file: Path) -> int | None:
    """A descriptor that holds the file's lock; None where somebody else has it, or has just dealt with it.

    Raises OSError.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
