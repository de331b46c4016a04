"""Counters that all of a test's workers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.cache.errors import StoreError


@dataclass
class MemoryCounters:
    away: bool = False
    totals: dict[str, dict[str, int]] = field(default_factory=dict)

    async def add(self, name: str, counts: Mapping[str, int], *, keep_s: float) -> dict[str, int]:
        self._check()
        assert keep_s > 0
        fields = self.totals.setdefault(name, {})
        for key, count in counts.items():
            fields[key] = fields.get(key, 0) + count
        return {key: fields[key] for key in counts}

    async def read(self, name: str) -> dict[str, int]:
        self._check()
        return dict(self.totals.get(name, {}))

    async def clear(self, name: str) -> None:
        self._check()
        self.totals.pop(name, None)

    def _check(self) -> None:
        if self.away:
            raise StoreError("told to be away")
