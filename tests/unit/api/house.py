"""A pipeline of parts that live in memory, and that a test may stop at any stage."""

from __future__ import annotations

from typing import Any

from api.fairness.off import TurnsOff
from api.grounding.off import GroundingOff
from api.pipeline import Pipeline
from api.sessions.off import MemoryOff
from api.stages.account import Accounting
from api.stages.admit import Admission
from api.stages.read import Reader
from api.tenants.off import BudgetsOff, CataloguePrices
from observability.metrics import Metrics
from tests.unit.api.fakes import (
    USAGE,
    Journal,
    MemoryBackend,
    MemoryLedger,
    MemoryLimiter,
    StoppingCache,
    StoppingGuard,
    StoppingKeys,
    catalogue,
    model,
    router,
)


class House:
    """A whole pipeline over in-memory ends."""

    def __init__(self, outcome: Any = None, *, journal: Journal | None = None, max_in_flight: int = 10) -> None:
        self.journal = journal or Journal()
        self.metrics = Metrics()
        self.keys = StoppingKeys(self.journal)
        self.limiter = MemoryLimiter(self.journal)
        self.ledger = MemoryLedger(self.journal)
        self.backend = MemoryBackend(
            "fast-1", {"choices": [], "usage": USAGE} if outcome is None else outcome, self.journal
        )
        self.guard = StoppingGuard(self.journal)
        self.cache = StoppingCache(self.journal)
        self.accounting = Accounting(ledger=self.ledger, prices=CataloguePrices(), metrics=self.metrics)
        self.admission = Admission(limiter=self.limiter, metrics=self.metrics, max_in_flight=max_in_flight)
        offered = catalogue(model("fast"))
        self.pipeline = Pipeline(
            keys=self.keys,
            reader=Reader(offered),
            admission=self.admission,
            accounting=self.accounting,
            memory=MemoryOff(),
            grounding=GroundingOff(),
            guard=self.guard,
            cache=self.cache,
            budgets=BudgetsOff(),
            turns=TurnsOff(),
            router=router(offered, [self.backend], books=self.accounting, metrics=self.metrics),
        )

    @property
    def holds_nothing(self) -> bool:
        gauge = b"gateway_requests_in_flight 0.0\n" in self.metrics.exposition()
        return self.admission.in_flight == 0 and self.limiter.open == [] and gauge
