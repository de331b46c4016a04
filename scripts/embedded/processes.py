"""Processes by identity: a pid alone may belong to somebody else by the time it is used."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil  # type: ignore[import-untyped]  # it ships no types

_POLL_S = 0.02
# The creation time is computed from the boot time, which corrections of the clock move.
_CREATED_SLACK_S = 0.5
_KILLED_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    """A process that is told apart from a later one with the same pid by when it was created (seconds since 1970)."""

    pid: int
    created_at: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has `pid` now; None if there is none."""
        try:
            return cls(pid=pid, created_at=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """False once it ended, also while its parent has not collected it."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_at) < _CREATED_SLACK_S
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


def session_members(session_id: int) -> list[int]:
    """Pids of the living processes in a session. A session id stays taken while any member lives."""
    members = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) == session_id and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
    return members


def session_of(leader: ProcessIdentity, *, belongs: Callable[[int], bool] | None = None) -> list[int]:
    """Pids of what still runs of the session that `leader` opened.

    Once the leader ended, its session id alone does not prove much when it was read from an old file: then one member
    for which `belongs` is true vouches for the others, because a session id is not given again while any of them lives.
    Not each is asked: some processes overwrite what `belongs` may look at. Empty when the pid has meanwhile become
    another process's.
    """
    members = session_members(leader.pid)
    if leader.is_alive():
        return members
    now = ProcessIdentity.of(leader.pid)
    if now is not None and abs(now.created_at - leader.created_at) >= _CREATED_SLACK_S:
        return []
    return members if belongs is None or any(belongs(pid) for pid in members) else []


def end_session(
    leader: ProcessIdentity,
    *,
    first: signal.Signals = signal.SIGTERM,
    grace_s: float = 10.0,
    belongs: Callable[[int], bool] | None = None,
) -> bool:
    """End what `session_of` finds: `first` to the leader (or its orphans), SIGKILL to what is left after `grace_s`.

    Returns True when no SIGKILL was needed.
    """
    for pid in [leader.pid] if leader.is_alive() else session_of(leader, belongs=belongs):
        send_signal(pid, first)
        send_signal(pid, signal.SIGCONT)  # a frozen process would never see the first one
        # From here on the session is known to be the leader's, also when whoever vouched for it ends before the others.
        belongs = None
    if _is_empty_within(leader, timeout_s=grace_s, belongs=belongs):
        return True
    for pid in session_of(leader, belongs=belongs):
        send_signal(pid, signal.SIGKILL)
    _is_empty_within(leader, timeout_s=_KILLED_TIMEOUT_S, belongs=belongs)
    return False


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may already be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_empty_within(leader: ProcessIdentity, *, timeout_s: float, belongs: Callable[[int], bool] | None) -> bool:
    deadline = time.monotonic() + timeout_s
    while session_of(leader, belongs=belongs):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
