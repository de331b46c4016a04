from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import Child, Command, ProcessError, cpu_s, descendants, pinned, resident_bytes


def python(source: str, directory: Path, **environment: str) -> Command:
    return Command(name="probe", arguments=[sys.executable, "-c", source], environment=environment, directory=directory)


def test_children_inherit_the_cores_and_the_parent_keeps_its_own(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    source = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['EXTRA'], flush=True)"
    with Child(python(source, tmp_path, EXTRA="seen"), cores={core}) as child:
        os.waitid(os.P_PID, child.pids[0], os.WEXITED | os.WNOWAIT)
        assert child.log_tail() == f"[{core}] seen"
    assert os.sched_getaffinity(0) == before


def test_cores_come_back_after_an_error() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), pinned({min(before)}):
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == before


def test_a_child_that_ends_at_once_is_named_with_its_last_words(tmp_path: Path) -> None:
    source = "import sys; sys.exit('the port is taken')"
    with (
        Child(python(source, tmp_path), cores=os.sched_getaffinity(0)) as child,
        pytest.raises(ProcessError, match=r"probe ended with status 1:\nthe port is taken"),
    ):
        child.await_ready("http://127.0.0.1:1/", key="k", timeout_s=30)


def test_a_child_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with (
            Child(python("import time; time.sleep(60)", tmp_path), cores=os.sched_getaffinity(0)) as child,
            pytest.raises(ProcessError, match="probe was not ready at"),
        ):
            child.await_ready(url, key="k", timeout_s=0.2)
        assert not Path(f"/proc/{child.pids[0]}").exists()


def test_memory_and_time_of_the_whole_tree_are_counted(tmp_path: Path) -> None:
    grandchild = "import time; block = bytearray(64_000_000); print('up', flush=True); time.sleep(60)"
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    with Child(python(source, tmp_path), cores=os.sched_getaffinity(0)) as child:
        while "up" not in child.log_tail():
            assert Path(f"/proc/{child.pids[0]}").exists()
        own, below = child.pids
        watched = os.pidfd_open(below)
        assert child.resident_bytes() >= resident_bytes(below) >= 64_000_000
        assert child.cpu_s() >= cpu_s(own)
    # The parent died of SIGTERM without a word to its child, which would have slept on for a minute.
    ended, _, _ = select.select([watched], [], [], 30)
    os.close(watched)
    assert ended


def test_this_process_is_its_own_first_descendant() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = descendants(os.getpid())
        child.communicate(b"\n")
    assert found[0] == os.getpid()
    assert child.pid in found


def test_a_process_that_is_gone_has_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert resident_bytes(child.pid) == 0
    assert cpu_s(child.pid) == 0
