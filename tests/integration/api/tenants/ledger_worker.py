"""A worker's ledger in a process of its own, to be killed: it tells of each row that is kept.

`python -m tests.integration.api.tenants.ledger_worker REDIS_URL DATABASE_URL FOLDER FIRST`
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from api.bootstrap.ledger import Stores, ledger_at
from api.settings import LedgerSettings
from api.tenants.base import UsageRow
from api.tenants.ledger.drainer import Pace
from observability.metrics import Metrics
from serving.types import Usage
from tests.unit.api.tenants.usage_rows import usage_row


def tell(word: str, row: UsageRow) -> None:
    sys.stdout.write(f"{word} {row.id}\n")
    sys.stdout.flush()


class NoBudgets:
    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        pass

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:  # noqa: ARG002 - the protocol's arguments
        return True


async def work(redis_url: str, database_url: str, folder: Path, name: str) -> None:
    ledger = ledger_at(
        Stores(redis_url, database_url),
        budgets=NoBudgets(),
        folder=folder,
        most_calls=64,
        settings=LedgerSettings(ledger_timeout_s=0.3),
        metrics=Metrics(),
        pace=Pace(interval_s=0.02, orphans_interval_s=0.05),
    )
    await ledger.start()

    async def caller(lane: int) -> None:
        while True:
            row = usage_row(id=uuid.uuid4().hex, occurred_at=datetime.now(UTC), request_id=f"{name}-{lane}")
            tell("began", row)
            ledger.begin(row)
            ledger.progress(row.id, Usage(prompt_tokens=10, completion_tokens=2))
            await asyncio.sleep(0.002)
            await ledger.keep(row)
            tell("kept", row)

    await asyncio.gather(*map(caller, range(8)))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
