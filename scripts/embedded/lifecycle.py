"""What `make up` and `make down` do, without the printing."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from scripts.embedded.ports import is_free
from scripts.embedded.processes import end_session, send_signal, session_of
from scripts.embedded.short_folder import forget_short_name
from scripts.embedded.stack_ports import choose_ports
from scripts.embedded.stack_settings import MARKER, StackSettings
from scripts.embedded.state import FILE_NAME, Phase, StackState

_POLL_S = 0.03
# On top of what its services may take: the supervisor's own time-outs come first, these are for one that hangs.
_UP_MARGIN_S = 120.0
_DOWN_MARGIN_S = 60.0
_ORPHANS_GRACE_S = 10.0


class StackError(RuntimeError):
    """The stack could not be started; one sentence says why and where to look."""


@contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """One `up` or `down` at a time for a data folder; the second waits for the first."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data_dir / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StackError(f"DATA_DIR {data_dir} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def running(data_dir: Path) -> StackState | None:
    """The state of a stack whose supervisor is alive."""
    state = StackState.read(data_dir)
    return state if state is not None and state.supervisor.is_alive() else None


def settled(data_dir: Path) -> StackState | None:
    """`running`, once a start or stop that goes on has come to its end."""
    began = time.monotonic()
    while (state := running(data_dir)) is not None and state.phase is not Phase.READY:
        if time.monotonic() - began >= _up_timeout_s(state):
            raise StackError(f"The stack has been {state.phase} for {_up_timeout_s(state):g} s: run `make down`.")
        time.sleep(_POLL_S)
    return state


def start(stack: StackSettings, *, waiting: Callable[[StackState], None]) -> StackState:
    """Start the stack in the background and wait until it is ready. Raises StackError; nothing runs then.

    `waiting` is called often with what runs so far. What a dead supervisor left behind is ended first. The caller
    holds `exclusive`.
    """
    end_orphans(stack.data_dir)
    _check_gateway_port(stack)
    choose_ports(stack)
    stack.log_dir.mkdir(exist_ok=True)
    with (stack.log_dir / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "scripts.stack", "--env-file", str(stack.env_file.absolute()), "supervise"],
            cwd=stack.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _wait_until_ready(stack, supervisor, waiting=waiting)
    except BaseException:
        # Also on Ctrl-C: half a stack is worse than none.
        send_signal(supervisor.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            supervisor.wait(_ORPHANS_GRACE_S)
        end_orphans(stack.data_dir)
        raise


def stop(data_dir: Path) -> bool:
    """End the stack in order, or what is left of it. False when nothing ran. The caller holds `exclusive`."""
    state = StackState.read(data_dir)
    if state is None:
        forget_short_name(data_dir / "ray")
        return False
    was_running = state.supervisor.is_alive()
    if was_running:
        send_signal(state.supervisor.pid, signal.SIGTERM)
        deadline = time.monotonic() + state.stop_timeout_s + _DOWN_MARGIN_S
        while state.supervisor.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    orphans = end_orphans(data_dir)
    forget_short_name(data_dir / "ray")
    return was_running or orphans > 0


def end_orphans(data_dir: Path) -> int:
    """End what a supervisor that was killed left running; how many services that were."""
    state = StackState.read(data_dir)
    if state is None:
        return 0
    if state.supervisor.is_alive():
        end_session(state.supervisor, first=signal.SIGKILL, grace_s=1.0)
        state = StackState.read(data_dir) or state

    def belongs(pid: int) -> bool:
        return _is_marked(pid, data_dir)

    ended = 0
    # In the supervisor's order: the gateway first.
    for service in reversed(state.services):
        leader = service.process
        if leader is not None and session_of(leader, belongs=belongs):
            end_session(leader, grace_s=_ORPHANS_GRACE_S, belongs=belongs)
            ended += 1
    (data_dir / FILE_NAME).unlink(missing_ok=True)
    return ended


def remove_data(data_dir: Path) -> None:
    """Delete the data folder; only one that a stack was started from. Raises StackError."""
    if not data_dir.exists():
        return
    if not (data_dir / "stack.lock").exists():
        raise StackError(f"DATA_DIR {data_dir} is not a stack's data folder: nothing was deleted.")
    shutil.rmtree(data_dir)


def _check_gateway_port(stack: StackSettings) -> None:
    gateway = stack.settings.gateway
    if is_free(gateway.gateway_port, host=gateway.gateway_host):
        return
    raise StackError(
        f"GATEWAY_PORT {gateway.gateway_port} is taken by {_holder(gateway.gateway_port)}: "
        "stop that program or set another GATEWAY_PORT."
    )


def _holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"


def _is_marked(pid: int, data_dir: Path) -> bool:
    try:
        return bool(psutil.Process(pid).environ().get(MARKER) == str(data_dir))
    except psutil.Error:
        return False


def _up_timeout_s(state: StackState | None) -> float:
    return _UP_MARGIN_S + (state.start_timeout_s if state is not None else 0.0)


def _wait_until_ready(
    stack: StackSettings, supervisor: subprocess.Popen[bytes], *, waiting: Callable[[StackState], None]
) -> StackState:
    began, own = time.monotonic(), None
    while time.monotonic() - began < _up_timeout_s(own):
        ended = supervisor.poll() is not None
        state = StackState.read(stack.data_dir)
        if state is not None and state.supervisor.pid == supervisor.pid:
            own = state
            waiting(state)
            if state.phase is Phase.READY and not ended:
                return state
            if state.phase is Phase.FAILED and ended:
                raise StackError(_first_upper(state.message))
        if ended:
            raise StackError(f"The supervisor ended at start: see {stack.log_dir / 'supervisor.log'}")
        time.sleep(_POLL_S)
    raise StackError(f"The stack was not ready after {_up_timeout_s(own):g} s: see {stack.log_dir}")


def _first_upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
