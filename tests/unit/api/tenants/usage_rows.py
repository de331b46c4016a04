"""Lines of the ledger for tests."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.tenants.base import UsageRow


def usage_row(**changes: Any) -> UsageRow:
    fields: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "occurred_at": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        "request_id": "req-1",
        "tenant": "finsight",
        "key_id": "k",
        "endpoint": "chat/completions",
        "model": "m",
        "model_version": "1",
        "upstream": "near",
        "streamed": True,
        "lane": "interactive",
        "outcome": "ok",
        "cache_tier": "",
        "prompt_tokens": 10,
        "cached_tokens": 4,
        "completion_tokens": 3,
        "estimated": False,
        "saved_tokens": 0,
        "saved_usd": Decimal(0),
        "prefill_price_usd": Decimal("2.5"),
        "decode_price_usd": Decimal(10),
        "cached_price_usd": Decimal("0.25"),
        "cost_usd": Decimal("0.000123001"),
        "queue_s": 0.0,
        "engine_s": 0.4,
        "time_to_first_token_s": 0.1,
        "duration_s": 0.5,
    }
    return UsageRow(**(fields | changes))
