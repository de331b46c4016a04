from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

HERE = Path(__file__).parent
ROOT = HERE.parents[3]


async def offer(url: str, keys: Sequence[str], workers: int, offered: int, at_once: int) -> list[dict[str, int]]:
    """What each of `workers` processes reports after offering its part of the requests at the same time.

    A worker offers them for one of `keys`, which may have 500, and for their tenant, which may have 600.
    """
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            str(HERE / "offer_requests.py"),
            url,
            f"--key={keys[number % len(keys)]}",
            f"--offered={offered}",
            f"--at-once={at_once}",
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [json.loads(output) for output, _ in outputs]


def counted(url: str, key: str) -> tuple[int, int]:
    """Requests and tokens."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        (name,) = client.scan_iter(f"limits:*:{key}")
        window: Any = client.hgetall(name)
    return int(window["r"]), int(window["t"])


async def test_eight_processes_get_exactly_what_their_key_may_have(redis_url: str) -> None:
    reports = await offer(redis_url, ["one"], workers=8, offered=150, at_once=8)
    assert [report["changes"] for report in reports] == [0] * 8
    assert sum(report["admitted"] for report in reports) == 500
    assert counted(redis_url, "one")[0] == counted(redis_url, "tenant")[0] == 500


async def test_eight_processes_with_two_keys_get_exactly_what_their_tenant_may_have(redis_url: str) -> None:
    reports = await offer(redis_url, ["one", "two"], workers=8, offered=150, at_once=8)
    assert [report["changes"] for report in reports] == [0] * 8
    assert sum(report["admitted"] for report in reports) == 600
    # What the tenant's window refused has been counted for no key.
    of_keys = [counted(redis_url, key)[0] for key in ("one", "two")]
    assert (sum(of_keys), counted(redis_url, "tenant")[0]) == (600, 600)
    assert max(of_keys) <= 500


async def test_every_settlement_arrives_in_every_window(redis_url: str) -> None:
    reports = await offer(redis_url, ["one", "two"], workers=2, offered=200, at_once=32)
    assert sum(report["admitted"] for report in reports) == 400
    assert [counted(redis_url, key) for key in ("one", "two", "tenant")] == [
        (200, 200 * 60),
        (200, 200 * 60),
        (400, 400 * 60),
    ]
