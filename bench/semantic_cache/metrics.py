"""What the gateway's own metrics say about its look-ups. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r'^gateway_cache_lookup_seconds_(sum|count)\{[^}]*status="(\w+)"[^}]*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class LookUps:
    count: int
    seconds: float

    def since(self, before: LookUps | None) -> LookUps:
        """What came after `before`."""
        if before is None:
            return self
        return LookUps(count=self.count - before.count, seconds=self.seconds - before.seconds)

    @property
    def mean_ms(self) -> float | None:
        """None where there was none."""
        return self.seconds / self.count * 1e3 if self.count else None


def look_ups(exposition: str) -> dict[str, LookUps]:
    """By status, from Prometheus' text format."""
    found: dict[str, dict[str, float]] = {}
    for part, status, value in _SAMPLE.findall(exposition):
        found.setdefault(status, {"sum": 0.0, "count": 0.0})[part] += float(value)
    return {status: LookUps(count=int(parts["count"]), seconds=parts["sum"]) for status, parts in sorted(found.items())}
