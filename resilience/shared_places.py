"""Places that owners share so that none can take them all: dynamic thresholds (Choudhury and Hahne, 1998).

An owner may hold `alpha` times as many places as are free. Alone it gets alpha / (1 + alpha) of them; the more owners
there are the less each gets, and some are always free for one that holds none yet. Nothing is known of owners that hold
nothing, so all of it costs one look at a dictionary.
"""

from __future__ import annotations

import math
from typing import Literal

PlaceRefusal = Literal["all", "owner"]
"""All places are taken; or the owner has as many as it may while so few are free."""


class SharedPlaces:
    def __init__(self, places: int, *, owner_share: float) -> None:
        """`owner_share`: of all places, what an owner gets that is alone; 1: all of them, so first come, first served.

        Raises ValueError unless there is a place, and a share above 0 and up to 1.
        """
        if places < 1 or not 0 < owner_share <= 1:
            raise ValueError(f"there must be a place and a share of (0, 1], not {places} and {owner_share}")
        self._free = places
        self._taken = 0
        # Rounded, for 0.8 / (1 - 0.8) is a little more than 4, and would be one place more.
        self._alpha = math.inf if owner_share == 1 else round(owner_share / (1 - owner_share), 9)
        self._by_owner: dict[str, int] = {}

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def owners(self) -> int:
        """That hold a place."""
        return len(self._by_owner)

    def take(self, owner: str) -> PlaceRefusal | None:
        """A place for `owner`, to be given back; or why there is none."""
        if self._free <= 0:
            return "all"
        held = self._by_owner.get(owner, 0)
        if held >= self._alpha * self._free:
            return "owner"
        self._by_owner[owner] = held + 1
        self._free -= 1
        self._taken += 1
        return None

    def give_back(self, owner: str) -> None:
        held = self._by_owner[owner]
        if held == 1:
            del self._by_owner[owner]
        else:
            self._by_owner[owner] = held - 1
        self._free += 1
        self._taken -= 1
