"""A short name for a folder: a Unix socket's path may have 107 bytes, and Ray's and HAProxy's own part takes most."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from scripts.embedded.service import ServiceError


def short_name(folder: Path) -> Path:
    """A link to `folder` (made with mode 0700) in /tmp. Raises ServiceError.

    The same folder gets the same link. What the link's name holds belongs to this user, or the link is not used.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = _link(folder)
    try:
        link.symlink_to(folder, target_is_directory=True)
    except FileExistsError:
        status = link.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISLNK(status.st_mode) or link.readlink() != folder:
            raise ServiceError(f"{link} is in the way: it should be a link of this user to {folder}.") from None
    except OSError as error:
        raise ServiceError(f"{link}, a short name for {folder}, could not be made: {error.strerror}.") from error
    return link


def forget_short_name(folder: Path) -> None:
    """Remove what `short_name` made."""
    link = _link(folder)
    if link.is_symlink() and link.readlink() == folder:
        link.unlink()


def _link(folder: Path) -> Path:
    digest = hashlib.blake2b(str(folder).encode(), digest_size=5).hexdigest()
    return Path("/tmp") / f"ais-{digest}"  # noqa: S108  # not TMPDIR, which may be long; whose link it is gets checked
