"""What the gateway wrote into the usage ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.acceptance.gateway.processes import eventually


@dataclass(frozen=True)
class LedgerRows:
    database_url: str

    def of(self, request_id: str, *, count: int = 1, within_s: float = 10.0) -> list[dict[str, Any]]:
        """The rows of one request id, as soon as there are `count`: they are written some time after the answer."""
        return eventually(lambda: self.now(request_id), until=lambda rows: len(rows) >= count, within_s=within_s)

    def one(self, request_id: str) -> dict[str, Any]:
        (row,) = self.of(request_id)
        return row

    def now(self, request_id_pattern: str) -> list[dict[str, Any]]:
        """The rows whose request id is LIKE the pattern."""
        query = "SELECT * FROM usage_ledger WHERE request_id LIKE %s ORDER BY occurred_at"
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            try:
                return connection.execute(query, [request_id_pattern]).fetchall()
            except psycopg.errors.UndefinedTable:  # the gateway makes it when it has its first connection
                return []
