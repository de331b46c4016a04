from __future__ import annotations

from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.report import StartProgress
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
