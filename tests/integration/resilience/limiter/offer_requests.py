"""One worker of one gateway: offers requests to a limiter; prints how many were admitted, and if it was ever alone."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import uvloop

from resilience.limiter.base import Quota, Window, WindowKind
from resilience.limiter.switching import redis_limiter

TENANT = Window("tenant", Quota(600, 10**9), WindowKind.TENANT)


async def offer(url: str, key: str, offered: int, at_once: int) -> dict[str, int]:
    changes: list[str] = []
    limiter = redis_limiter(
        url=url, share_count=1000, on_state_change=lambda _, reason: changes.append(reason), timeout_s=20
    )
    await limiter.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()  # all workers begin together
    windows = [Window(key, Quota(500, 10**9)), TENANT]
    left = iter(range(offered))
    admitted = 0

    async def client() -> None:
        nonlocal admitted
        for _ in left:
            decision = await limiter.reserve(windows, 100)
            if decision.reservation is not None:
                admitted += 1
                limiter.settle(decision.reservation, 60)

    await asyncio.gather(*(client() for _ in range(at_once)))
    await limiter.aclose()
    return {"admitted": admitted, "changes": len(changes)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--key", required=True)
    parser.add_argument("--offered", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(uvloop.run(offer(options.url, options.key, options.offered, options.at_once))))
