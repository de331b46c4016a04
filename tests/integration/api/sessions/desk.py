"""One Redis, as many workers' stores as a test asks for, and a look behind their backs."""

from __future__ import annotations

from typing import Any

import redis

from api.sessions.redis_store import RedisSessionStore
from api.sessions.types import Turn
from resilience.redis_link import RedisLink

TENANT, ID = "finsight", "a-session-of-tests"


def turn(text: str, *, continues: bool = False, size: int = 0) -> Turn:
    said = {"role": "user", "content": text + "x" * size}
    return Turn(
        messages=(said, {"role": "assistant", "content": f"re {text}"}),
        question=text,
        at_s=1.5,
        continues=continues,
    )


class Desk:
    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url)
        self._links: list[RedisLink] = []

    def store(self, *, timeout_s: float = 3.0, **options: Any) -> RedisSessionStore:
        """Of one worker, with a link of its own."""
        link = RedisLink(url=self.url, timeout_s=timeout_s, on_change=lambda *_: None)
        self._links.append(link)
        usual = {"secret": b"", "ttl_s": 60.0, "max_turns": 20, "max_bytes": 100_000, "longest_call_s": 30.0}
        return RedisSessionStore(link=link, **{**usual, **options})

    def redis_keys(self) -> list[str]:
        return sorted(key.decode() for key in self.client.scan_iter("session:*"))

    async def aclose(self) -> None:
        for link in self._links:
            await link.aclose()
        self.client.close()


async def questions(store: RedisSessionStore, *, tenant: str = TENANT, session_id: str = ID) -> list[str | None]:
    """Of all turns that it has."""
    return [turn.question for turn in (await store.read(tenant, session_id)).turns]


async def add(store: RedisSessionStore, *turns: Turn, generation: int = 0, **options: Any) -> list[str]:
    """What became of them."""
    values = {"system": (), **options}
    return [(await store.append(TENANT, ID, one, generation=generation, **values)).outcome.value for one in turns]
