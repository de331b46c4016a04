from __future__ import annotations

import os
import subprocess

from scripts.embedded.processes import ProcessIdentity, session_members


def test_this_process_is_alive_and_one_created_earlier_with_its_pid_is_not() -> None:
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    assert identity.is_alive()
    assert not ProcessIdentity(pid=identity.pid, created_at=identity.created_at - 5).is_alive()


def test_a_process_that_ended_is_not_alive_before_and_after_it_is_collected() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        process.kill()
        while identity.is_alive():
            pass
        assert ProcessIdentity.of(process.pid) == identity
    assert not identity.is_alive()
    assert ProcessIdentity.of(process.pid) is None


def test_a_session_holds_its_leader_and_children() -> None:
    command = ["/bin/sh", "-c", "sleep 60 & echo started; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        members = session_members(leader.pid)
        assert leader.pid in members
        assert len(members) == 2
        for pid in members:
            os.kill(pid, 9)
