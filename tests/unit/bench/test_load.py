"""The load generator against real sockets: what it counts, and that it notices every kind of wrong answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bench.load import LoadError, LoadResult, Plan, Target, closed_loop
from bench.overhead.questions import Questions
from bench.overhead.upstream import chunk

Answer = Callable[[dict[str, object], asyncio.StreamWriter], Awaitable[None]]
DONE = b"data: [DONE]\n\n"


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Target]:
    """An HTTP server that reads whole requests and lets `answer` write the response."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await answer(json.loads(await reader.readexactly(length)), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield Target(name="probe", port=listener.sockets[0].getsockname()[1], model="m", key="k")


def plain(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def streamed(*frames: bytes) -> bytes:
    chunks = b"".join(f"{len(frame):x}\r\n".encode() + frame + b"\r\n" for frame in frames)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


async def load(
    answer: Answer,
    plan: Plan,
    checkpoint: Callable[[int], None] | None = None,
    *,
    stream_every: int = 0,
    frames: int = 16,
) -> LoadResult:
    async with server(answer) as target:
        questions = Questions(target, stream_every=stream_every, frames=frames)
        return await closed_loop(target, plan, source=questions, checkpoint=checkpoint)


async def test_every_request_is_sent_once_with_a_prompt_of_its_own() -> None:
    prompts: list[str] = []

    async def answer(request: dict[str, object], writer: asyncio.StreamWriter) -> None:
        prompts.append(json.dumps(request["messages"]))
        writer.write(plain(b"{}"))

    seen: list[int] = []
    result = await load(answer, Plan(connections=3, requests=20), seen.append)
    assert result.or_raise("probe").answers == 20
    assert len(set(prompts)) == len(prompts) == 20
    assert seen == list(range(1, 21))
    assert 1 <= result.peak_in_flight <= 3
    assert result.elapsed_s > 0
    assert all(latency > 0 for latency in result.latencies_s)


async def test_streams_are_mixed_in_and_their_frames_counted() -> None:
    async def answer(request: dict[str, object], writer: asyncio.StreamWriter) -> None:
        frames = [chunk({"content": f"{number} "}) for number in range(4)]
        writer.write(streamed(*frames, DONE) if request["stream"] else plain(b"{}"))

    result = await load(answer, Plan(connections=2, requests=10), stream_every=5, frames=4)
    assert result.or_raise("probe").answers == 10
    assert len(result.first_bytes_s) == 2
    assert result.frames == 8


async def test_duration_ends_the_run() -> None:
    async def answer(_: dict[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(plain(b"{}"))

    result = await load(answer, Plan(connections=2, duration_s=0.05))
    assert result.or_raise("probe").elapsed_s >= 0.05


@pytest.mark.parametrize(
    ("response", "stream", "problem"),
    [
        (plain(b'{"error": "too many"}', "429 Too Many Requests"), 0, 'status 429: {"error": "too many"}'),
        (plain(b""), 0, "an empty body"),
        (plain(b"{}") + b"left over", 0, "9 bytes after the end"),
        (streamed(chunk({"content": "1 "}), DONE), 1, "frame 1 arrived where frame 0 was due"),
        (streamed(chunk({"content": "0 "})), 1, "ended without"),
    ],
)
async def test_a_wrong_answer_is_a_failure_with_its_reason(response: bytes, stream: int, problem: str) -> None:
    async def answer(_: dict[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(response)

    result = await load(answer, Plan(connections=1, requests=1), stream_every=stream, frames=1)
    assert result.failures == 1
    assert problem in result.problems[0]
    with pytest.raises(LoadError, match="probe: 1 of 1 failed"):
        result.or_raise("probe")


async def test_a_connection_that_ends_early_is_a_failure() -> None:
    async def answer(_: dict[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(plain(b"{}")[:-1])
        writer.close()

    result = await load(answer, Plan(connections=2, requests=2))
    assert result.problems == ["the server closed the connection before its answer ended"] * 2


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def answer(_: dict[str, object], __: asyncio.StreamWriter) -> None:
        return

    result = await load(answer, Plan(connections=2, requests=2, patience_s=0.05))
    assert result.failures == 2
    assert "no complete answer" in result.problems[0]


async def test_nobody_listening_is_one_sentence() -> None:
    async def answer(_: dict[str, object], __: asyncio.StreamWriter) -> None:
        return

    async with server(answer) as target:
        pass
    with pytest.raises(LoadError, match="probe refused connection 1"):
        await closed_loop(target, Plan(connections=1, requests=1), source=Questions(target))


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(LoadError, match="probe gave no answer"):
        LoadResult().or_raise("probe")
