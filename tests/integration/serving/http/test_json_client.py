"""JSON over real sockets, and every way in which it may not come."""

from __future__ import annotations

import json

import pytest

from serving.http.errors import BodyTooLarge, ConnectFailed, ConnectionLost, HttpError, MalformedResponse
from serving.http.json_client import JsonClient, UnexpectedStatus
from tests.integration.serving.http.conftest import Client, Start
from tests.integration.serving.http.raw_server import OK, Peer, answer


def client_of(client: Client, *, path: str = "/v1", api_key: str | None = None) -> JsonClient:
    return JsonClient(base_url=f"http://{client.origin.authority}{path}", pool=client.pool, api_key=api_key)


async def read(peer: Peer) -> tuple[bytes, bytes]:
    head = await peer.head() or b""
    [length] = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    return head, await peer.reader.readexactly(length)


async def test_it_posts_json_and_reads_json_over_one_connection(start: Start) -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        for _ in range(2):
            head, body = await read(peer)
            heads.append(head)
            await peer.send(answer(json.dumps({"got": json.loads(body)}).encode()))
        await peer.left()

    server, client = await start(script)
    server_client = client_of(client, api_key="secret")
    for number in range(2):
        found = await server_client.post("/rerank", {"number": number, "text": "é"}, timeout_s=5)
        assert found == {"got": {"number": number, "text": "é"}}
    assert len(server.peers) == 1
    assert heads[0].startswith(b"POST /v1/rerank HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in heads[0]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(b'{"error": "your text"}', status=500), UnexpectedStatus),
        (answer(b"not json"), MalformedResponse),
        (answer(b""), MalformedResponse),
        (OK + b"content-length: 100\r\n\r\n{", ConnectionLost),
        (OK + b"content-length: 99999999\r\n\r\n" + b"[" * 17_000_000, BodyTooLarge),
    ],
)
async def test_what_is_no_answer_is_an_error_of_the_wire(start: Start, reply: bytes, error: type[HttpError]) -> None:
    async def script(peer: Peer) -> None:
        await read(peer)
        await peer.send(reply)
        peer.close()

    _, client = await start(script)
    with pytest.raises(error) as raised:
        await client_of(client).post("/rerank", {}, timeout_s=5)
    assert "your text" not in str(raised.value)


async def test_a_server_that_says_nothing_is_late(start: Start) -> None:
    server, client = await start(Peer.left)
    with pytest.raises(TimeoutError):
        await client_of(client).post("/rerank", {}, timeout_s=0.05)
    await server.peers[0].gone.wait()


async def test_nobody_there(start: Start) -> None:
    _, client = await start(Peer.left)
    with pytest.raises(ConnectFailed):
        await JsonClient(base_url="http://127.0.0.1:1", pool=client.pool).post("/rerank", {}, timeout_s=5)


async def test_a_key_that_no_header_can_carry_is_refused(start: Start) -> None:
    _, client = await start(Peer.left)
    with pytest.raises(ValueError, match="header cannot carry"):
        client_of(client, api_key="a\r\nX: b")
