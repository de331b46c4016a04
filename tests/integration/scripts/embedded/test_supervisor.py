"""The supervisor on small real processes: order, restarts, a start that fails, and log rotation."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.embedded.backoff import RestartBackoff
from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.service import Service
from scripts.embedded.state import FILE_NAME, Phase, ServicePhase, StackState
from scripts.embedded.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

QUICK = RestartBackoff(first_s=0.01, limit_s=0.05)


def shell(name: str, script: str, *, folder: Path, start_attempts: int = 1, stop_timeout_s: float = 10.0) -> Service:
    """A service that counts as ready once its script made the file `ready-NAME`."""
    ready = folder / f"ready-{name}"
    return Service(
        name=name,
        command=["/bin/sh", "-c", script],
        log_file=folder / f"{name}.log",
        is_ready=ready.exists,
        prepare=lambda: ready.unlink(missing_ok=True),
        port=1,
        working_directory=folder,
        start_attempts=start_attempts,
        stop_timeout_s=stop_timeout_s,
    )


def supervisor_of(
    stages: Sequence[Sequence[Service]], *, folder: Path, reason: str = "", ready_timeout_s: float = 5.0
) -> Supervisor:
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    state = StackState(phase=Phase.STARTING, supervisor=identity, host="127.0.0.1", gateway_port=1)
    return Supervisor(
        stages,
        state=state,
        data_dir=folder,
        not_ready_reason=lambda: reason,
        ready_timeout_s=ready_timeout_s,
        backoff=QUICK,
    )


def until(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def phase(folder: Path) -> Phase | None:
    state = StackState.read(folder)
    return None if state is None else state.phase


@contextmanager
def running(supervisor: Supervisor, *, folder: Path) -> Iterator[None]:
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        until(lambda: phase(folder) is Phase.READY)
        yield
    finally:
        supervisor.stop()
        thread.join()


def test_stages_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    def script(name: str) -> str:
        note = f"trap 'echo -{name} >> order; exit' TERM; echo +{name} >> order; touch ready-{name}"
        return f"{note}; while :; do sleep 0.01; done"

    stages = [
        [shell("store", script("store"), folder=tmp_path)],
        [shell("gateway", script("gateway"), folder=tmp_path)],
    ]
    with running(supervisor_of(stages, folder=tmp_path), folder=tmp_path):
        pass
    assert (tmp_path / "order").read_text().split() == ["+store", "+gateway", "-gateway", "-store"]
    assert not (tmp_path / FILE_NAME).exists()


def test_a_service_that_ends_is_started_again_each_time(tmp_path: Path) -> None:
    service = shell("worker", "touch ready-worker; exec sleep 300", folder=tmp_path)
    with running(supervisor_of([[service]], folder=tmp_path), folder=tmp_path):
        for restarts in range(1, 4):
            state = StackState.read(tmp_path)
            assert state is not None
            process = state.services[0].process
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)

            def is_back(expected: int = restarts) -> bool:
                now = StackState.read(tmp_path)
                return (
                    now is not None
                    and now.services[0].restarts == expected
                    and now.services[0].phase is ServicePhase.RUNNING
                )

            until(is_back)


def test_a_service_that_fails_after_the_start_is_tried_until_it_comes_back(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    script = "if [ -e broken ]; then echo no; exit 1; fi; touch ready-worker; exec sleep 300"
    with running(supervisor_of([[shell("worker", script, folder=tmp_path)]], folder=tmp_path), folder=tmp_path):
        first = StackState.read(tmp_path)
        assert first is not None
        assert first.services[0].process is not None
        broken.touch()
        os.kill(first.services[0].process.pid, signal.SIGKILL)
        until(lambda: (tmp_path / "worker.log").read_text().count("no\n") >= 3)
        broken.unlink()
        until((tmp_path / "ready-worker").exists)


@pytest.mark.parametrize(("attempts", "tries"), [(1, 1), (3, 3)])
def test_a_crash_loop_at_start_is_reported_and_nothing_runs(tmp_path: Path, attempts: int, tries: int) -> None:
    store = shell("store", "touch ready-store; exec sleep 300", folder=tmp_path)
    gateway = shell("gateway", "echo out of luck; exit 7", folder=tmp_path, start_attempts=attempts)
    assert not supervisor_of([[store], [gateway]], folder=tmp_path).run()
    state = StackState.read(tmp_path)
    assert state is not None
    assert state.phase is Phase.FAILED
    log = tmp_path / "gateway.log"
    assert state.message == f"gateway ended at start (exit status 7), see {log}: out of luck"
    assert log.read_text() == "out of luck\n" * tries
    assert state.services[0].process is not None
    assert not state.services[0].process.is_alive()


def test_a_start_that_was_too_slow_once_succeeds_when_attempts_are_left(tmp_path: Path) -> None:
    script = "if mkdir first; then exit 1; fi; touch ready-store; exec sleep 300"
    service = shell("store", script, folder=tmp_path, start_attempts=2)
    with running(supervisor_of([[service]], folder=tmp_path), folder=tmp_path):
        assert (tmp_path / "first").is_dir()


def test_services_that_run_without_the_whole_being_ready_are_a_failed_start(tmp_path: Path) -> None:
    service = shell("gateway", "touch ready-gateway; exec sleep 300", folder=tmp_path)
    supervisor = supervisor_of([[service]], folder=tmp_path, reason="redis is away", ready_timeout_s=1.0)
    assert not supervisor.run()
    state = StackState.read(tmp_path)
    assert state is not None
    assert state.message == "the stack was not ready after 1 s: redis is away"


def test_a_service_that_hangs_at_start_is_reported_once_and_ended(tmp_path: Path) -> None:
    service = shell("store", "echo waiting; exec sleep 300", folder=tmp_path, start_attempts=5)
    assert not supervisor_of([[replace(service, start_timeout_s=0.5)]], folder=tmp_path).run()
    state = StackState.read(tmp_path)
    assert state is not None
    assert state.message == f"store was not ready after 0.5 s, see {tmp_path / 'store.log'}: waiting"
    assert state.services[0].process is not None
    assert not state.services[0].process.is_alive()


def test_a_preparation_that_hangs_is_reported_once(tmp_path: Path) -> None:
    tries = []

    def prepare() -> None:
        tries.append(1)
        subprocess.run(["sleep", "300"], check=True, timeout=0.2)

    service = replace(shell("store", "exit 1", folder=tmp_path, start_attempts=5), prepare=prepare)
    assert not supervisor_of([[service]], folder=tmp_path).run()
    state = StackState.read(tmp_path)
    assert state is not None
    log = tmp_path / "store.log"
    assert state.message == f"store could not be prepared within 0.2 s, see {log}"
    assert len(tries) == 1


def test_a_stop_during_the_start_ends_what_had_started(tmp_path: Path) -> None:
    slow = shell("slow", "touch began; exec sleep 300", folder=tmp_path)
    supervisor = supervisor_of([[slow]], folder=tmp_path)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until((tmp_path / "began").exists)
    state = StackState.read(tmp_path)
    assert state is not None
    supervisor.stop()
    thread.join()
    assert not (tmp_path / FILE_NAME).exists()
    assert state.services[0].process is None or not state.services[0].process.is_alive()
