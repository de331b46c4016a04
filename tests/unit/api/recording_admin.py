"""The administration of a cache that holds nothing: it writes down what it is asked and can be told to fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api.cache.types import Explanation, PurgeResult, QuestionReading, TenantStats, Verdict


@dataclass
class RecordingAdmin:
    asked: list[Any] = field(default_factory=list)
    error: Exception | None = None

    async def stats(self, tenant: str | None) -> list[TenantStats]:
        self._note("stats", tenant)
        return [
            TenantStats(tenant="finsight", entries=3, bytes=900, evicted=1, oldest_age_s=60.5, newest_age_s=1.0),
            TenantStats(tenant="other", entries=0, bytes=0, evicted=0, oldest_age_s=None, newest_age_s=None),
        ]

    async def purge(self, tenant: str | None, tag: str | None) -> PurgeResult:
        self._note("purge", tenant, tag)
        return PurgeResult(removed=2, tenants=("finsight",), tags=("entity:apple",), index_cleared=True)

    async def explain(self, a: str, b: str) -> Explanation:
        self._note("explain", a, b)
        reading = QuestionReading(
            slots={"periods": ("Q3-2024",)}, tags=("period:Q3-2024",), tokens=9, ttl_s=86_400.0, has_canonical_key=True
        )
        return Explanation(
            verdict=Verdict.DIFFERENT,
            reasons=("The periods differ.",),
            a=reading,
            b=reading,
            differing_slots=("periods",),
            same_canonical_key=False,
            agreement=False,
            cosine=0.98,
            min_cosine=0.92,
        )

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
