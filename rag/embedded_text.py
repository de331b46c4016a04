"""What an embedding model is given of a piece."""

from __future__ import annotations

from collections.abc import Sequence


def embedded_text(title: str, headings: Sequence[str], text: str) -> str:
    """A piece seldom says itself what it is about: its document and its headings do."""
    trail = " > ".join(part for part in (title, *headings) if part)
    return f"{trail}\n{text}" if trail else text
