"""Tenants take turns at busy engines, by their weights (docs/reference/fair-share.md)."""

from __future__ import annotations

from collections.abc import Mapping

from api.call import Call
from api.fairness.engines import Engines
from serving.catalogue.base import ModelKey
from serving.types import Held


class FairTurns:
    def __init__(self, engines: Mapping[ModelKey, Engines]) -> None:
        """`engines`: of each model whose engines may be busy; all others have no queue."""
        self._engines = engines

    async def take(self, call: Call, held: Held) -> None:
        engines = self._engines.get(call.model.key)
        if engines is None:
            return
        turn = engines.ask(call)
        held.callback(turn.end)
        if not turn.has_come:
            await turn.wait()
        call.turn = turn
