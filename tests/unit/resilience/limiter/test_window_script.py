from __future__ import annotations

import asyncio

import pytest

from resilience.limiter.base import Quota
from resilience.limiter.window import Verdict
from resilience.limiter.window_script import Batch, Waiting, is_late, verdicts


async def waiting(key: str, tokens: int) -> Waiting:
    return Waiting(key, Quota(600, 9000), tokens, asyncio.get_running_loop().create_future())


async def test_each_key_is_named_once_and_operations_point_to_it() -> None:
    batch = Batch({("b", 7): [1, -5]}, [await waiting("a", 10), await waiting("b", 20), await waiting("a", 30)])
    assert batch.arguments("limits:run", 99) == [
        *(2, b"limits:run:b", b"limits:run:a"),
        *(99, 1, 3),
        *(1, 7, 1, -5),
        *(2, 600, 9000, 10),
        *(1, 600, 9000, 20),
        *(2, 600, 9000, 30),
    ]


@pytest.mark.parametrize("key", ["", "naïve", "a b\r\nc", "\ud800"])
async def test_any_name_is_a_key(key: str) -> None:
    arguments = Batch({}, [await waiting(key, 1)]).arguments("limits:run", 99)
    assert arguments[1] == b"limits:run:" + key.encode(errors="surrogatepass")


def test_answers_are_read_in_order() -> None:
    reply = [1_700_000_000_000, 0, 1, 10, 61_000, 61_000, 0, 2, 1, 10, 61_000, 61_000, 30_000]
    assert verdicts(reply) == [Verdict(0, 1, 10, 61_000, 61_000, 0), Verdict(2, 1, 10, 61_000, 61_000, 30_000)]
    assert not is_late(reply)
    assert is_late([1_700_000_000_000, -1])
    assert not is_late([1_700_000_000_000])
