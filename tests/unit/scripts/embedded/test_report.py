from __future__ import annotations

import os
from pathlib import Path

from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.report import StartProgress, status_table
from scripts.embedded.state import Phase, ServicePhase, ServiceState, StackState


def state_with(*services: ServiceState) -> StackState:
    supervisor = ProcessIdentity(pid=1, created_at=0)
    return StackState(phase=Phase.STARTING, supervisor=supervisor, host="h", gateway_port=1, services=services)


def test_only_slow_starts_are_spoken_of_and_only_now_and_then() -> None:
    said: list[str] = []
    now = [0.0]
    progress = StartProgress(said.append, clock=lambda: now[0])
    redis = ServiceState(name="redis", port=1, log_file="r")
    vllm = ServiceState(name="vllm", port=2, log_file="v", start_timeout_s=900)
    for second in range(40):
        now[0] = float(second)
        progress(state_with(redis, vllm))
    assert [line.split(":")[1].split(";")[0] for line in said] == [" 3 s so far", " 18 s so far", " 33 s so far"]
    assert all(line.startswith("Starting vllm: ") for line in said)
    now[0] = 100.0
    progress(state_with(redis, ServiceState(name="vllm", port=2, log_file="v", phase=ServicePhase.RUNNING)))
    assert len(said) == 3


def test_what_still_starts_is_not_well_though_a_part_of_it_answers(tmp_path: Path) -> None:
    alive = ProcessIdentity.of(os.getpid())
    ray = ServiceState(name="ray", port=1, log_file="r", phase=ServicePhase.STARTING, process=alive)
    state = StackState(phase=Phase.READY, supervisor=alive, host="127.0.0.1", gateway_port=1, services=(ray,))
    text, healthy = status_table(state, data_dir=tmp_path, now=0.0)
    assert not healthy
    assert text.splitlines()[1].endswith("starting")
