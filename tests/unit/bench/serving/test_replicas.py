from __future__ import annotations

from bench.serving.replicas import count_running


def test_only_replicas_that_take_requests_count() -> None:
    def deployment(*states: str) -> dict[str, object]:
        return {"replicas": [{"replica_id": str(number), "state": state} for number, state in enumerate(states)]}

    applications = {
        "one": {"deployments": {"a": deployment("RUNNING", "STARTING"), "b": deployment("RUNNING")}},
        "two": {"deployments": {"c": deployment("STOPPING")}},
        "three": {"status": "DEPLOYING"},
    }
    assert count_running(applications) == 2
