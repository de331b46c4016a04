"""What is said in one call as bytes. The scripts read the first five: whether it begins a turn, and its size."""

from __future__ import annotations

from typing import Any

import msgspec

from api.sealed_bytes import BrokenSealError, Seal
from api.sessions.types import Turn
from serving.types import Json

BEGINS, CONTINUES = b"T", b"C"
_SIZE_BYTES = 4
_HEAD_BYTES = 1 + _SIZE_BYTES
# More than a session may ever have been allowed to take.
_MOST_BYTES = 256 * 1024 * 1024
_TURN, _SYSTEM = Seal(b"ST1", most_bytes=_MOST_BYTES), Seal(b"SP1", most_bytes=_MOST_BYTES)


class CorruptTurnError(ValueError):
    """These bytes are no turn, or no longer the one that was written."""


class _Written(msgspec.Struct, array_like=True):
    messages: list[dict[str, Any]]
    question: str | None
    at_s: float


_encode = msgspec.json.Encoder().encode
_decode_turn = msgspec.json.Decoder(_Written).decode
_decode_system = msgspec.json.Decoder(list[dict[str, Any]]).decode


def written(turn: Turn) -> bytes:
    """In JSON, which has numbers of any size."""
    return _encode(_Written(list(turn.messages), turn.question, turn.at_s))


def entry_of(content: bytes, *, continues: bool) -> bytes:
    """`content`: what `written` gave. Deflates it: 15 ms for a megabyte."""
    head = (CONTINUES if continues else BEGINS) + len(content).to_bytes(_SIZE_BYTES, "big")
    return head + _TURN.sealed(content)


def turn_of(entry: bytes) -> Turn:
    """Raises CorruptTurnError."""
    try:
        content = _TURN.opened(entry[_HEAD_BYTES:])
        if entry[:1] not in (BEGINS, CONTINUES) or int.from_bytes(entry[1:_HEAD_BYTES], "big") != len(content):
            raise CorruptTurnError("another head than was written")
        turn = _decode_turn(content)
    except (BrokenSealError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptTurnError("no turn, or a damaged one") from error
    return Turn(messages=tuple(turn.messages), question=turn.question, at_s=turn.at_s, continues=entry[:1] == CONTINUES)


def written_system(system: tuple[Json, ...]) -> bytes:
    return _encode(system)


def sealed_system(content: bytes) -> bytes:
    """`content`: what `written_system` gave."""
    return _SYSTEM.sealed(content)


def system_of(sealed: bytes) -> tuple[Json, ...]:
    """Raises CorruptTurnError."""
    try:
        return tuple(_decode_system(_SYSTEM.opened(sealed)))
    except (BrokenSealError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptTurnError("no system prompt, or a damaged one") from error
