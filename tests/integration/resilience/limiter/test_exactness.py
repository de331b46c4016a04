from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import redis

HERE = Path(__file__).parent
ROOT = HERE.parents[3]


async def offer(url: str, workers: int, offered: int, at_once: int) -> list[dict[str, int]]:
    """What each of `workers` processes reports after offering its part of the requests at the same time."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            str(HERE / "offer_requests.py"),
            url,
            f"--offered={offered}",
            f"--at-once={at_once}",
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [json.loads(output) for output, _ in outputs]


async def test_eight_processes_get_exactly_the_limit(redis_url: str) -> None:
    reports = await offer(redis_url, workers=8, offered=150, at_once=8)
    assert [report["changes"] for report in reports] == [0] * 8
    assert sum(report["admitted"] for report in reports) == 600


async def test_every_settlement_arrives(redis_url: str) -> None:
    reports = await offer(redis_url, workers=2, offered=200, at_once=32)
    assert sum(report["admitted"] for report in reports) == 400
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        (key,) = client.scan_iter("limits:*:key")
        window: Any = client.hgetall(key)
    assert (window["r"], window["t"]) == ("400", str(400 * 60))
