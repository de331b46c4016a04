from __future__ import annotations

import asyncio

import pytest

from resilience.limiter.base import Quota, Window
from resilience.limiter.window import Verdict
from resilience.limiter.window_script import Batch, Waiting, is_late, verdicts


async def waiting(tokens: int, *keys: str) -> Waiting:
    windows = [Window(key, Quota(600 + number, 9000 + number)) for number, key in enumerate(keys)]
    return Waiting(windows, tokens, asyncio.get_running_loop().create_future())


async def test_each_key_is_named_once_and_operations_point_to_it() -> None:
    reservations = [await waiting(10, "a"), await waiting(20, "b", "c"), await waiting(30, "a", "c")]
    batch = Batch({("b", 7): [1, -5]}, reservations)
    assert batch.arguments("limits:run", 99) == [
        *(3, b"limits:run:b", b"limits:run:a", b"limits:run:c"),
        *(99, 1, 3),
        *(1, 7, 1, -5),
        *(1, 10, 2, 600, 9000),
        *(2, 20, 1, 600, 9000, 3, 601, 9001),
        *(2, 30, 2, 600, 9000, 3, 601, 9001),
    ]


@pytest.mark.parametrize("key", ["", "naïve", "a b\r\nc", "\ud800"])
async def test_any_name_is_a_key(key: str) -> None:
    arguments = Batch({}, [await waiting(1, key)]).arguments("limits:run", 99)
    assert arguments[1] == b"limits:run:" + key.encode(errors="surrogatepass")


async def test_answers_are_read_in_order() -> None:
    told = [0, 1, 10, 61_000, 61_000, 0], [2, 1, 10, 61_000, 61_000, 30_000], [1, 5, 6, 7, 8, 9]
    reply, reservations = (
        [1_700_000_000_000, *told[0], *told[1], *told[2]],
        [await waiting(1, "a"), await waiting(1, "a", "b")],
    )
    assert verdicts(reply, reservations) == [[Verdict(*told[0])], [Verdict(*told[1]), Verdict(*told[2])]]
    assert not is_late(reply)
    assert is_late([1_700_000_000_000, -1])
    assert not is_late([1_700_000_000_000])


@pytest.mark.parametrize("size", [7, 12, 14, 19])
async def test_a_reply_to_something_else_is_none(size: int) -> None:
    with pytest.raises((ValueError, TypeError)):
        verdicts([1] * size, [await waiting(1, "a", "b")])
