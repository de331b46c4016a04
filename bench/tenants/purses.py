"""What Redis has of a tenant's month: the benchmark reads it itself, so that no figure is the platform's word alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import redis

_LEASE = "lease:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money set aside, in nano-dollars. `ends_s`: from now on; None: never."""

    id: str
    nano: int
    ends_s: float | None

    @property
    def is_lease(self) -> bool:
        """Of a worker; else of one call."""
        return self.id.startswith(_LEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Of one tenant in this month. Money in nano-dollars; `held` and `leased` as Redis has added them up."""

    spent: int
    held: int
    leased: int
    holds: Sequence[Hold]

    @property
    def of_calls(self) -> list[Hold]:
        return [hold for hold in self.holds if not hold.is_lease]

    @property
    def of_workers(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.is_lease]


def purse(redis_url: str, tenant: str) -> Purse:
    """Raises redis.RedisError."""
    month = datetime.now(UTC).strftime("%Y-%m")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client, client.pipeline(transaction=True) as pipe:
        pipe.hmget(f"{{budget}}:state:{tenant}", [f"{field}:{month}" for field in ("spent", "held", "leased")])
        pipe.hgetall(f"{{budget}}:holds:{tenant}")
        pipe.zrange(f"{{budget}}:ends:{tenant}", 0, -1, withscores=True)
        pipe.time()
        sums, entries, ends, (seconds, micros) = pipe.execute()
    now_s = seconds + micros / 1e6
    ends_ms = dict(ends)
    spent, held, leased = (int(value or 0) for value in sums)
    return Purse(
        spent=spent,
        held=held,
        leased=leased,
        holds=[
            Hold(id=id_, nano=int(entry.split()[0]), ends_s=ends_ms[id_] / 1e3 - now_s if id_ in ends_ms else None)
            for id_, entry in entries.items()
        ],
    )
