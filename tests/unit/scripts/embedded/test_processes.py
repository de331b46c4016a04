from __future__ import annotations

import os
import signal
import subprocess

from scripts.embedded.processes import ProcessIdentity, end_session, session_members, session_of


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


def test_one_member_vouches_for_a_session_whose_leader_ended() -> None:
    command = ["/bin/sh", "-c", "sleep 60 & sleep 61 & echo started; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        leader = ProcessIdentity.of(process.pid)
        assert leader is not None
        process.kill()
        process.wait()
        first, second = session_members(leader.pid)
        assert session_of(leader, belongs=lambda _: False) == []
        assert session_of(leader, belongs=lambda pid: pid == first) == [first, second]
        # It ends both, also when the one that vouched is the first to go.
        assert end_session(leader, first=signal.SIGTERM, belongs=lambda pid: pid == first)
        assert session_members(leader.pid) == []
