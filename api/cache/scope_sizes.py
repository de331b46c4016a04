"""How many vectors a scope had a moment ago: enough to choose how to search it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_HOLDS_S = 5.0
_SCOPES = 4096


class ScopeSizes:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._sizes: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def get(self, tenant: str, scope: str) -> int | None:
        """None: not known, or not lately."""
        size, noted_s = self._sizes.get((tenant, scope), (None, 0.0))
        return size if 0 <= self._now_s() - noted_s < _HOLDS_S else None

    def note(self, tenant: str, scope: str, size: int) -> None:
        self._sizes[tenant, scope] = (size, self._now_s())
        self._sizes.move_to_end((tenant, scope))
        if len(self._sizes) > _SCOPES:
            self._sizes.popitem(last=False)
