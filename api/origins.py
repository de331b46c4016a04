"""Which web pages may open a WebSocket, as the setting says it."""

from __future__ import annotations

import re

_ORIGIN = re.compile(r"https?://[^\s/?#@,*]+")


def checked_origins(setting: str) -> str:
    """`setting` itself: origins with commas between them, or `*`. Raises ValueError."""
    for origin in allowed_origins(setting):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"must hold origins such as https://chat.example.com, or * for any: {origin!r} is none")
    return setting


def allowed_origins(setting: str) -> frozenset[str]:
    return frozenset(filter(None, (origin.strip().lower().rstrip("/") for origin in setting.split(","))))
