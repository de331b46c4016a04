from __future__ import annotations

import asyncio

import pytest

from serving.http.errors import BodyTooLarge, ConnectionLost
from serving.http.response import Response


class Connection:
    """The response's side of a connection, with a count of what it asked for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.response = Response(self)
        self.resumed = 0
        self.aborted = 0

    def resume_reading(self) -> None:
        self.resumed += 1

    def abort(self) -> None:
        self.aborted += 1
        self.response.end(ConnectionLost("closed", answered=True))


async def waiting(task: asyncio.Task[bytes]) -> bool:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not task.done()


async def test_the_head_is_awaited() -> None:
    response = Connection().response
    head = asyncio.create_task(response.head())
    await asyncio.sleep(0)
    assert not head.done()
    response.arrived(200, {b"a": b"b"})
    await head
    await response.head()
    assert (response.status, response.headers) == (200, {b"a": b"b"})


async def test_the_whole_body_is_awaited() -> None:
    response = Connection().response
    body = asyncio.create_task(response.read())
    for part in (b"a", b"b"):
        assert await waiting(body)
        response.feed(part)
    assert await waiting(body)
    response.end()
    assert await body == b"ab"
    assert await response.read() == b""


async def test_parts_come_as_soon_as_they_arrive_and_the_end_is_empty() -> None:
    response = Connection().response
    part = asyncio.create_task(response.read_some())
    assert await waiting(part)
    response.feed(b"a")
    response.feed(b"b")
    assert await part == b"ab"
    response.feed(b"c")
    response.end()
    assert [await response.read_some() for _ in range(3)] == [b"c", b"", b""]


async def test_what_arrived_before_a_failure_can_be_read_in_parts_but_not_as_a_whole() -> None:
    responses = [Connection().response for _ in range(2)]
    for response in responses:
        response.feed(b"a")
        response.end(ConnectionLost("gone", answered=True))
        assert not response.complete
    assert await responses[0].read_some() == b"a"
    for read in (responses[0].read_some, responses[0].read_some, responses[1].read):
        with pytest.raises(ConnectionLost, match="gone"):
            await read()


async def test_a_reader_that_waits_makes_the_connection_read() -> None:
    connection = Connection()
    part = asyncio.create_task(connection.response.read_some())
    assert await waiting(part)
    assert connection.resumed == 1
    connection.response.feed(b"a")
    await part


async def test_a_cancelled_reader_loses_nothing() -> None:
    response = Connection().response
    reader = asyncio.create_task(response.read_some())
    assert await waiting(reader)
    response.feed(b"a")
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await response.read_some() == b"a"


@pytest.mark.parametrize("arrived", [False, True])
async def test_a_whole_body_has_a_limit(arrived: bool) -> None:
    for size, fits in ((10, True), (11, False)):
        connection = Connection()
        connection.response.feed(b"a" * size)
        if arrived:
            connection.response.end()
        body = asyncio.create_task(connection.response.read(max_bytes=10))
        await asyncio.sleep(0)
        if fits:
            connection.response.end()
            assert await body == b"a" * 10
        else:
            with pytest.raises(BodyTooLarge, match="more than 10 bytes"):
                await body
        assert connection.aborted == (not fits and not arrived)


async def test_closing_closes_the_connection_only_while_the_answer_is_under_way() -> None:
    connection = Connection()
    reader = asyncio.create_task(connection.response.read())
    assert await waiting(reader)
    connection.response.close()
    with pytest.raises(ConnectionLost):
        await reader
    assert connection.aborted == 1
    whole = Connection()
    whole.response.end()
    whole.response.close()
    assert whole.aborted == 0
