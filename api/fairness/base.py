"""Whose turn it is at the engines."""

from __future__ import annotations

from typing import Protocol

from api.call import Call
from serving.types import Held


class Turns(Protocol):
    async def take(self, call: Call, held: Held) -> None:
        """Wait for the caller's turn at the model's engines, given back with `held`.

        Raises Overloaded, and that at once where the turn would not come in time.
        """
        ...
