"""Conversations in Redis: for each a list of what its calls have brought, and a hash of what is known of it.

What has to hold together is done by one script, so that writers cannot come between each other; `lua/session.lua` says
what the keys hold. The names of the keys are keyed digests: who can read them learns neither ids nor tenants, and an id
is of one tenant alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import msgspec

from api.sessions.base import SessionStoreError
from api.sessions.turn_codec import (
    CorruptTurnError,
    entry_of,
    sealed_system,
    system_of,
    turn_of,
    written,
    written_system,
)
from api.sessions.types import Appended, Outcome, Session, Turn
from resilience.redis_link import Argument, RedisAwayError, RedisLink, RedisRefusedError, Script
from resilience.redis_memory import RedisMemory
from serving.types import Json

logger = logging.getLogger(__name__)
_FOLDER = files("api.sessions").joinpath("lua")
# What is larger is packed and unpacked in a thread, that other calls move on meanwhile.
_INLINE_BYTES = 64 * 1024
_DIGEST_BYTES = 20
# Of the memory that Redis may have; the rest is left to the limits of requests.
_SHARE = 0.9
_encode = msgspec.json.Encoder().encode


class RedisSessionStore:
    """`SessionStore`. The link is the caller's to start and to close."""

    def __init__(
        self,
        *,
        link: RedisLink,
        secret: bytes,
        ttl_s: float,
        max_turns: int,
        max_bytes: int,
        longest_call_s: float,
        prefix: str = "session",
    ) -> None:
        """`secret`: any length, the same for all gateways. `max_bytes`: of a session, before compression.

        `longest_call_s`: for so long a deletion is remembered, because no call lasts longer.
        """
        self._link = link
        self._memory = RedisMemory(link=link, share=_SHARE, on_change=_tell_of_memory, clock=time.monotonic)
        self._key = blake2b(secret, digest_size=32, person=b"session-key").digest()
        self._ttl_ms = _ms(ttl_s)
        self._max_turns = max_turns
        self._max_bytes = max_bytes
        self._deletion_ms = _ms(longest_call_s)
        self._prefix = prefix
        names = ("create", "read", "append", "delete", "discard")
        self._create, self._read, self._append, self._delete, self._discard = map(_script, names)

    async def create(self, tenant: str, session_id: str) -> None:
        await self._run(self._create, tenant, session_id, self._ttl_ms)

    async def read(self, tenant: str, session_id: str) -> Session:
        reply: list[Any] = await self._run(self._read, tenant, session_id, self._ttl_ms)
        generation, exists, system, *entries = reply
        if not exists:
            return Session(generation=generation)
        if len(system) + sum(map(len, entries)) > _INLINE_BYTES:
            session, corrupt = await asyncio.to_thread(_opened, system, entries)
        else:
            session, corrupt = _opened(system, entries)
        if session.corrupt:
            logger.warning("a session had entries that make no sense", extra={"entries": session.corrupt})
            await self._remove(tenant, session_id, corrupt)
        return replace(session, generation=generation, exists=True, expires_in_s=self._ttl_ms / 1000)

    async def append(
        self, tenant: str, session_id: str, turn: Turn, *, generation: int, system: tuple[Json, ...]
    ) -> Appended:
        content, prompt = written(turn), written_system(system) if system else b""
        if len(content) + len(prompt) > self._max_bytes:
            return Appended(Outcome.TOO_LARGE)
        if await self._is_tight():
            return Appended(Outcome.NO_ROOM)
        pack = partial(entry_of, content, continues=turn.continues)
        entry = await asyncio.to_thread(pack) if len(content) > _INLINE_BYTES else pack()
        outcome, dropped = await self._run(
            self._append,
            tenant,
            session_id,
            generation,
            entry,
            sealed_system(prompt) if prompt else b"",
            len(prompt),
            self._ttl_ms,
            self._max_turns,
            self._max_bytes,
        )
        return Appended(Outcome(outcome.decode()), dropped)

    async def delete(self, tenant: str, session_id: str) -> bool:
        return bool(await self._run(self._delete, tenant, session_id, self._deletion_ms))

    async def _is_tight(self) -> bool:
        try:
            return await self._memory.is_tight()
        except RedisAwayError as error:
            raise SessionStoreError(str(error)) from error

    async def _remove(self, tenant: str, session_id: str, corrupt: Sequence[bytes]) -> None:
        try:
            await self._run(self._discard, tenant, session_id, *corrupt)
        except SessionStoreError as error:
            logger.warning("they could not be removed", extra={"reason": str(error)})

    async def _run(self, script: Script, tenant: str, session_id: str, *arguments: Argument) -> Any:
        # In braces: both keys are in one slot of a cluster.
        key = f"{self._prefix}:{{{self._digest(tenant, session_id)}}}"
        try:
            return await self._link.run(script, [key, f"{key}:turns"], *arguments)
        except (RedisAwayError, RedisRefusedError) as error:
            raise SessionStoreError(str(error)) from error

    def _digest(self, tenant: str, session_id: str) -> str:
        # One JSON array: no tenant and id can be put together to look like two others.
        return blake2b(_encode([tenant, session_id]), digest_size=_DIGEST_BYTES, key=self._key).hexdigest()


def _opened(system: bytes, entries: Sequence[bytes]) -> tuple[Session, list[bytes]]:
    """What is there, and what makes no sense of it: the system prompt, or b"" if that does; entries."""
    corrupt_system, corrupt = b"", list[bytes]()
    prompt: tuple[Json, ...] = ()
    try:
        prompt = system_of(system) if system else ()
    except CorruptTurnError:
        corrupt_system = system
    turns: list[Turn] = []
    for entry in entries:
        try:
            turn = turn_of(entry)
        except CorruptTurnError:
            corrupt.append(entry)
            continue
        if turn.continues and turns:
            turns[-1] = _joined(turns[-1], turn)
        else:
            turns.append(turn)
    session = Session(turns=tuple(turns), system=prompt, corrupt=len(corrupt) + bool(corrupt_system))
    return session, [corrupt_system, *corrupt]


def _joined(turn: Turn, more: Turn) -> Turn:
    return replace(turn, messages=(*turn.messages, *more.messages), question=turn.question or more.question)


def _tell_of_memory(is_tight: bool) -> None:  # noqa: FBT001 - the callback's signature
    if is_tight:
        logger.warning("Redis is nearly full: turns of sessions are not stored")
    else:
        logger.info("Redis has room again: turns of sessions are stored")


def _script(name: str) -> Script:
    return Script("\n".join(_FOLDER.joinpath(f"{part}.lua").read_text("utf-8") for part in ("session", name)))


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
