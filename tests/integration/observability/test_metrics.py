"""Metrics of several worker processes, which are killed and replaced, add up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observability.metrics import MULTIPROCESS_VARIABLE, Metrics

WORKER = """
import sys
from pathlib import Path
from observability.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]))
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Worker:
    """A process that counts, one line of Python after the other."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, MULTIPROCESS_VARIABLE: str(folder)},
        )

    def do(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


StartWorker = Callable[[], Worker]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(tmp_path))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()


def samples(folder: Path | None, metrics: Metrics | None = None) -> dict[str, float]:
    """Series -> value, as a scrape of any worker shows it."""
    text = (metrics or Metrics(folder)).exposition().decode()
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


REQUESTS = "gateway_requests_total[('model', 'm'), ('outcome', 'ok'), ('route', 'r'), ('tenant', 't')]"
COUNT = "metrics.requests.labels('r', 'm', 't', 'ok').inc({})"


def test_what_workers_count_is_added_up_and_stays_when_they_die(tmp_path: Path, start_worker: StartWorker) -> None:
    first, second = start_worker(), start_worker()
    first.do(COUNT.format(3) + "; metrics.duration.labels('r', 'm').observe(0.2); metrics.in_flight.inc(5)")
    second.do(COUNT.format(4) + "; metrics.duration.labels('r', 'm').observe(0.3); metrics.in_flight.inc(2)")
    found = samples(tmp_path)
    assert found[REQUESTS] == 7
    assert found["gateway_request_duration_seconds_count[('model', 'm'), ('route', 'r')]"] == 2
    assert found["gateway_requests_in_flight[]"] == 7
    first.kill()
    found = samples(tmp_path)
    assert found[REQUESTS] == 7
    assert found["gateway_requests_in_flight[]"] == 2  # what the dead worker served is no longer served
    third = start_worker()
    third.do(COUNT.format(1) + "; metrics.in_flight.inc()")
    assert samples(tmp_path)[REQUESTS] == 8
    assert samples(tmp_path)["gateway_requests_in_flight[]"] == 3


def test_a_counters_sums_by_one_label_are_of_all_workers(tmp_path: Path, start_worker: StartWorker) -> None:
    first, second = start_worker(), start_worker()
    first.do("metrics.cache_lookups.labels('m', 'exact').inc(3); metrics.cache_lookups.labels('n', 'exact').inc()")
    second.do("metrics.cache_lookups.labels('m', 'exact').inc(2); metrics.cache_lookups.labels('m', 'miss').inc(5)")
    first.kill()
    metrics = Metrics(tmp_path)
    assert metrics.totals("gateway_cache_lookups", by="status") == {"exact": 6, "miss": 5}
    assert metrics.totals("gateway_cache_lookups", by="model") == {"m": 10, "n": 1}
    assert metrics.totals("gateway_cache_saved_usd", by="tenant") == {}


def test_gauges_of_every_kind_vanish_with_their_worker(tmp_path: Path, start_worker: StartWorker) -> None:
    worker = start_worker()
    worker.do("metrics.limiter_local.set(1); metrics.ledger_pending.set(9); metrics.in_flight.set(2)")
    alive = samples(tmp_path)
    assert [alive[f"gateway_{name}[]"] for name in ("limiter_local", "ledger_memory_rows", "requests_in_flight")] == [
        1,
        9,
        2,
    ]
    worker.kill()
    dead = samples(tmp_path)
    assert all(dead.get(name, 0) == 0 for name in alive)


def test_a_scrape_while_workers_count_is_whole(tmp_path: Path, start_worker: StartWorker) -> None:
    workers = [start_worker() for _ in range(2)]
    before = 0.0
    for turn in range(20):
        for worker in workers:
            worker.do(COUNT.format(1))
        now = samples(tmp_path)[REQUESTS]
        assert now == before + 2 == 2 * (turn + 1)
        before = now


def test_a_process_that_counts_alone_needs_no_folder() -> None:
    metrics = Metrics()
    metrics.requests.labels("r", "m", "t", "ok").inc()
    metrics.in_flight.inc()
    found = samples(None, metrics)
    assert found[REQUESTS] == 1
    assert metrics.totals("gateway_requests", by="tenant") == {"t": 1}
    assert found["gateway_requests_in_flight[]"] == 1


def test_two_of_them_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()
    first.in_flight.inc()
    assert samples(None, second)["gateway_requests_in_flight[]"] == 0
