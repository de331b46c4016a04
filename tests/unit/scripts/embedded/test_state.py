from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.state import FILE_NAME, Phase, ServicePhase, ServiceState, StackState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state() -> StackState:
    process = ProcessIdentity(pid=11, created_at=1.5)
    return StackState(
        phase=Phase.READY,
        supervisor=ProcessIdentity(pid=10, created_at=1.25),
        host="127.0.0.1",
        gateway_port=8000,
        settings={"WORKERS": "ab"},
        services=(
            ServiceState(name="redis", port=1, log_file="r.log", phase=ServicePhase.RUNNING, process=process),
            ServiceState(name="gateway", port=8000, log_file="g.log"),
        ),
    )


def test_what_was_written_is_read(tmp_path: Path, state: StackState) -> None:
    state.write(tmp_path)
    assert StackState.read(tmp_path) == state
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_service_is_found_by_name(state: StackState) -> None:
    found = state.service("gateway")
    assert found is not None
    assert found.port == 8000
    assert state.service("nobody") is None
    assert state.base_url == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"phase": "ready", "services": [], "supervisor": {}}'])
def test_a_file_of_another_make_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert StackState.read(tmp_path) is None


def test_no_file_is_none(tmp_path: Path) -> None:
    assert StackState.read(tmp_path) is None
