"""Processes by identity: a pid alone may belong to somebody else by the time it is used."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil  # type: ignore[import-untyped]  # it ships no types

_POLL_S = 0.02
# The creation time is computed from the boot time, which corrections of the clock move.
_CREATED_SLACK_S = 0.5


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


def end_session(leader: ProcessIdentity, *, first: signal.Signals = signal.SIGTERM, grace_s: float = 10.0) -> bool:
    """End the session that `leader` opened: `first` to the leader, after `grace_s` SIGKILL to all that is left.

    Does nothing when the pid has meanwhile become another process's. Returns True when no SIGKILL was needed.
    """
    current = ProcessIdentity.of(leader.pid)
    if current is not None and not leader.is_alive() and not _is_zombie(leader.pid):
        return True
    deadline = time.monotonic() + grace_s
    targets = [leader.pid] if leader.is_alive() else session_members(leader.pid)
    for pid in targets:
        send_signal(pid, first)
        send_signal(pid, signal.SIGCONT)  # a frozen process would never see the first one
    while session_members(leader.pid):
        if time.monotonic() >= deadline:
            for pid in session_members(leader.pid):
                send_signal(pid, signal.SIGKILL)
            _wait_until_empty(leader.pid, timeout_s=5.0)
            return False
        time.sleep(_POLL_S)
    return True


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may already be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_until_empty(session_id: int, *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while session_members(session_id) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
