"""Postgres refuses to run as root: where this process is root, run it as a system user made for it."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.embedded.service import ServiceError

USER_NAME = "ai-serving"

_READ_SEARCH = "dac_read_search"
_OVERRIDE = "dac_override"
# Bits of CapEff, see capabilities(7).
_CAPABILITY_BITS = {_READ_SEARCH: 2, _OVERRIDE: 1}


def is_root() -> bool:
    return os.geteuid() == 0


def system_user() -> pwd.struct_passwd:
    """The user that Postgres runs as under root, made on first use. Raises ServiceError."""
    try:
        return pwd.getpwnam(USER_NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise ServiceError(
            f"Postgres does not run as root and `useradd` is missing: make a system user {USER_NAME}, "
            "or run as an ordinary user."
        )
    made = subprocess.run(  # noqa: S603  # a fixed command
        [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER_NAME],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        return pwd.getpwnam(USER_NAME)
    except KeyError:
        raise ServiceError(
            f"The system user {USER_NAME}, which Postgres needs under root, could not be made: {made.stderr.strip()}"
        ) from None


def unprivileged(command: list[str], *, reads: Iterable[Path]) -> list[str]:
    """`command` as root may run it: unchanged for ordinary users, as the system user under root.

    `reads` are the folders that the command must be able to enter. Where a folder above them is closed to that user (a
    clone below /root), it gets the one capability to search folders, and no other; nobody's permissions are changed.
    """
    if not is_root():
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceError(
            "Postgres does not run as root and `setpriv` is missing: install util-linux, or run as an ordinary user."
        )
    user = system_user()
    prefix = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(_can_enter(folder, user) for folder in reads):
        capability = _held_capability()
        prefix += [f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}"]
        # Else access(2), with which Postgres looks for its own programs, would leave the capability out of account. All
        # other capabilities end with the exec, as they do for every user that is not root.
        prefix += ["--securebits=+no_setuid_fixup"]
    return [*prefix, "--", *command]


def _can_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    for parent in folder.absolute().parents:
        status = parent.stat()
        if status.st_uid == user.pw_uid:
            needed = stat.S_IXUSR
        elif status.st_gid == user.pw_gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def _held_capability() -> str:
    held = 0
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
    for name, bit in _CAPABILITY_BITS.items():
        if held >> bit & 1:
            return name
    raise ServiceError(
        f"Postgres runs as {USER_NAME}, which cannot enter this folder: move the clone and DATA_DIR to where it can."
    )
