"""What a link to Redis does when the other side is slow, rude or away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import redis

from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError, Script

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server that does what a real one does only under load."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}/0"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def link_to(url: str, changes: list[bool] | None = None, *, timeout_s: float = 3.0) -> RedisLink:
    told = [] if changes is None else changes
    return RedisLink(url=url, timeout_s=timeout_s, on_change=lambda connected, _: told.append(connected))


def is_connected(link: RedisLink) -> bool:
    """Read anew each time, which mypy would not believe of a property."""
    return link.connected


async def test_calls_travel_together_and_get_their_own_replies(redis_url: str) -> None:
    link = link_to(redis_url)
    assert not is_connected(link)
    replies = await asyncio.gather(*(link.call("ECHO", str(number)) for number in range(100)))
    assert replies == [str(number).encode() for number in range(100)]
    assert is_connected(link)
    await link.aclose()


async def test_what_redis_refuses_is_told_from_its_absence(redis_url: str) -> None:
    link = link_to(redis_url)
    await link.call("SET", "text", "words")
    with pytest.raises(RedisRefusedError) as refused:
        await link.call("INCR", "text")
    assert refused.value.code == "ERR"
    with pytest.raises(RedisRefusedError) as refused:
        await link.call("LLEN", "text")
    assert refused.value.code == "WRONGTYPE"
    assert await link.call("GET", "text") == b"words"
    await link.aclose()


async def test_a_script_is_told_once_and_again_when_redis_has_forgotten_it(redis_url: str) -> None:
    link, script = link_to(redis_url), Script("return {KEYS[1], ARGV[1], ARGV[2]}")
    with redis.Redis.from_url(redis_url) as client:
        for _ in range(2):
            client.script_flush()
            client.config_resetstat()
            for _ in range(3):
                assert await link.run(script, ["key"], 7, b"\xff") == [b"key", b"7", b"\xff"]
            stats = client.info("commandstats")
            assert (stats["cmdstat_evalsha"]["calls"], stats["cmdstat_eval"]["calls"]) == (3, 1)
        with pytest.raises(RedisRefusedError, match="made up"):
            await link.run(Script("return redis.error_reply('made up')"), [])
    await link.aclose()


async def test_a_late_reply_is_nobodys() -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"+PONG\r\n")
        await reader.read(100)
        await go_on.wait()
        writer.write(b"+late\r\n")
        while await reader.read(100):
            writer.write(b"+in time\r\n")

    async with server(serve) as url:
        changes: list[bool] = []
        link = link_to(url, changes, timeout_s=0.2)
        with pytest.raises(RedisAwayError, match="has not answered within 200 ms"):
            await link.call("GET", "slow")
        with pytest.raises(RedisAwayError, match="late with earlier replies"):
            await link.call("GET", "fast")
        assert not is_connected(link)
        go_on.set()
        async with asyncio.timeout(5):
            while not is_connected(link):  # noqa: ASYNC110 - the link tells nobody
                await asyncio.sleep(0.01)
        assert await link.call("GET", "fast") == b"in time"
        assert changes == [True]
        await link.aclose()


@pytest.mark.parametrize(("timeout_s", "slow_s", "in_time_between"), [(0.2, 0.3, False), (0.4, 0.8, True)])
async def test_one_that_is_late_again_and_again_is_away(timeout_s: float, slow_s: float, in_time_between: bool) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while command := await reader.read(100):
            if b"slow" in command or connections > 1:
                await asyncio.sleep(slow_s)
            writer.write(b"+OK\r\n")

    async with server(serve) as url:
        changes: list[bool] = []
        link = link_to(url, changes, timeout_s=timeout_s)
        for _ in range(3):
            with pytest.raises(RedisAwayError, match="has not answered within"):
                await link.call("GET", "slow")
            async with asyncio.timeout(5):
                while not is_connected(link) and connections == 1 and changes == [True]:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            if in_time_between:
                await link.call("GET", "fast")
        if in_time_between:
            assert (changes, connections) == ([True], 1)
        else:
            assert changes == [True, False]
            with pytest.raises(RedisAwayError, match="not connected"):
                await link.call("GET", "fast")
        await link.aclose()


@pytest.mark.parametrize(
    "refusal",
    ["READONLY You can't write against a read only replica.", "ERR Error running script: -READONLY You can't"],
)
async def test_a_primary_that_has_become_a_replica_is_left(refusal: str) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        is_replica = connections == 1
        while command := await reader.read(100):
            refused = is_replica and b"SET" in command
            writer.write(f"-{refusal}\r\n".encode() if refused else b"+OK\r\n")

    async with server(serve) as url:
        link = link_to(url)
        assert await link.call("GET", "name") == b"OK"
        with pytest.raises(RedisRefusedError, match="READONLY"):
            await link.call("SET", "name", "1")
        async with asyncio.timeout(10):
            while not is_connected(link):  # noqa: ASYNC110 - the link tells nobody
                await asyncio.sleep(0.01)
        assert await link.call("SET", "name", "1") == b"OK"
        await link.aclose()


async def test_one_that_hangs_up_at_once_is_not_called_again_and_again() -> None:
    visits_s: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits_s.append(asyncio.get_running_loop().time())
        await reader.read(100)
        writer.write(b"+PONG\r\n")
        await writer.drain()

    async with server(serve) as url:
        link = RedisLink(url=url, timeout_s=3, on_change=lambda _, __: None, jitter=lambda: 0.5)
        await link.start()
        async with asyncio.timeout(20):
            while len(visits_s) < 4:  # noqa: ASYNC110 - the link tells nobody
                await asyncio.sleep(0.01)
        assert visits_s[3] - visits_s[0] >= 0.1 + 0.2 + 0.4
        await link.aclose()


async def test_what_is_no_redis_is_away() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with server(serve) as url:
        link = link_to(url)
        with pytest.raises(RedisAwayError):
            await link.call("PING")
        await link.aclose()


async def test_a_server_that_takes_calls_and_answers_none_is_away() -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass

    async with server(serve) as url:
        changes: list[bool] = []
        link = link_to(url, changes, timeout_s=0.2)
        await link.start()
        with pytest.raises(RedisAwayError, match="not connected"):
            await link.call("PING")
        assert changes == [False]
        await link.aclose()


async def test_first_callers_share_one_attempt(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_connections_received"]
        link = link_to(redis_url)
        await asyncio.gather(link.start(), link.start(), *(link.call("PING") for _ in range(20)))
        assert client.info("stats")["total_connections_received"] - before == 1
    await link.aclose()


async def test_a_closed_link_is_away_for_good(redis_url: str) -> None:
    link = link_to(redis_url)
    under_way = asyncio.create_task(link.call("BLPOP", "nothing", 60))
    async with asyncio.timeout(5):
        while not is_connected(link):  # noqa: ASYNC110 - the link tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await link.aclose()
    with pytest.raises(RedisAwayError):
        await under_way
    with pytest.raises(RedisAwayError):
        await link.call("PING")
    await link.aclose()
    never_used = link_to(redis_url)
    await never_used.aclose()
    with pytest.raises(RedisAwayError):
        await never_used.call("PING")
