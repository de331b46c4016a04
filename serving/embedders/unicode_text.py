"""Texts as UTF-8 can say them."""

from __future__ import annotations


def encodable(text: str) -> str:
    """JSON may hold half a surrogate pair, which no UTF-8 has: it is read as a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
