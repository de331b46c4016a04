"""What a worker knows of a tenant's month, and what it may spend without asking.

A worker's lease is money that Redis has set aside for it alone. While Redis is away calls are paid for out of it: so
whatever the workers can or cannot see of each other, no dollar is spent twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from api.tenants.types import Budget

# Of what is left, this part is leased, shared among the workers.
LEASED_PART = 10
# A lease that is worth fewer calls than this is none: near the end all that is left should be there for everybody.
LEAST_CALLS = 4
# Asking for another lease for every small change would be one more call for each.
_SLACK = 2
_LARGEST_S = 60.0
# So long leases are given back where a call has been refused because of them.
_SHORT_S = 10.0
# The ledger's sum counts as a floor when it is so old and Redis has been there for so long: by then all that it sums
# up has been settled.
_LEDGER_LAG_S = 5.0
_LEDGER_APART_S, _LEDGER_READINGS = 1.0, 8


class Backing(Enum):
    SHARED = "shared"
    """Redis has it."""
    LENT = "lent"
    """It is out of the worker's lease."""
    DOUBTFUL = "doubtful"
    """It was, and Redis has been asked to take it over."""


@dataclass(slots=True, eq=False)
class Hold:
    """What is set aside for one call."""

    id: str
    amount: int
    opened_s: float
    backing: Backing


@dataclass(slots=True, kw_only=True)
class Account:
    """Money is nano-dollars, times are monotonic seconds."""

    tenant: str
    month: str
    budget: Budget
    used_s: float
    """When a call came last."""
    is_budgeted: bool = True
    """Else nobody has said here what the budget is: only costs of another worker's calls are settled."""
    spent: int | None = None
    """By everybody, as Redis said last; None: it never has."""
    held: int = 0
    """The same of what is set aside, leases included."""
    free: int = 0
    """What is left of the lease."""
    lease_until_s: float = 0.0
    told_s: float = 0.0
    reported: int = 0
    """What was spent out of leases, and Redis knows of."""
    unshared: int = 0
    """All that was."""
    largest: int = 0
    """The most that was set aside for a call in the last minute or so."""
    largest_s: float = 0.0
    wants_telling: bool = False
    short_until_s: float = 0.0
    """Until then calls need what is leased."""
    open: dict[str, Hold] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    """Calls that Redis has not been told the cost of: id -> cost."""
    doubtful: list[str] = field(default_factory=list)
    """Calls that have ended and been paid for out of the lease, which Redis may have a hold of all the same."""
    covers: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Calls that had ended, and that Redis may have lost with their holds: id -> cost, and until when it matters."""
    ledger: list[tuple[float, int]] = field(default_factory=list)
    """When it was read, and what it says was spent; the latest last."""

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be said of it."""
        return not self.open and not self.ended and not self.doubtful and self.unshared == self.reported

    @property
    def soft_nano(self) -> int:
        return int(self.budget.amount_nano * self.budget.soft_share)

    def learn(self, spent: int, held: int, *, is_short: bool, now_s: float) -> None:
        self.spent, self.held = max(spent, self.spent or 0), held
        if is_short:
            self.short_until_s = now_s + _SHORT_S
            self.wants_telling = self.wants_telling or self.free > 0

    def learn_ledger(self, spent: int, now_s: float) -> None:
        if len(self.ledger) > 1 and self.ledger[-1][0] - self.ledger[-2][0] < _LEDGER_APART_S:
            self.ledger.pop()  # new tenants have it read often, and there is to be one that is old enough for a floor
        self.ledger = [*self.ledger[1 - _LEDGER_READINGS :], (now_s, spent)]

    def ledger_sum(self) -> int:
        """-1 where it was never read."""
        return self.ledger[-1][1] if self.ledger else -1

    def known(self) -> int:
        """What a month that Redis does not know is counted from; -1 where nobody knows."""
        return max(self.ledger_sum(), -1 if self.spent is None else self.spent)

    def floor(self, now_s: float, *, ready_s: float) -> int:
        """Less cannot have been spent; -1 where nobody knows.

        `ready_s`: since when this worker has told Redis everything. Before the others have too, the ledger has what
        they are about to report, and it would count twice.
        """
        sums = [spent for read_s, spent in self.ledger if now_s - max(read_s, ready_s) >= _LEDGER_LAG_S]
        return max((*sums, -1 if self.spent is None else self.spent))

    def share(self, id_: str, amount: int, now_s: float) -> Hold:
        """What Redis has set aside."""
        return self._opened(Hold(id_, amount, now_s, Backing.SHARED))

    def lend(self, id_: str, amount: int, now_s: float) -> Hold | None:
        """Set aside out of the lease; None where it does not hold that much."""
        if amount > self.free or now_s >= self.lease_until_s or amount > self._affordable():
            return None
        self.free -= amount
        # Under an id of its own: Redis may have been asked for the call's, and answer later.
        return self._opened(Hold(f"{id_}:lent", amount, now_s, Backing.LENT))

    def settle(self, hold: Hold, cost: int) -> None:
        """A second time does nothing."""
        if self.open.pop(hold.id, None) is None:
            return
        if hold.backing is Backing.SHARED:
            self.ended[hold.id] = cost
            return
        self.unshared += cost
        if hold.backing is Backing.LENT:
            self.free = max(0, self.free + hold.amount - cost)
        else:
            self.doubtful.append(hold.id)

    def lease_wanted(self, *, share_count: int, now_s: float, idle_s: float) -> int:
        """What this worker should have for a Redis that goes away; 0 for a tenant that has not come for `idle_s`."""
        if self.spent is None or now_s - self.used_s > idle_s or now_s < self.short_until_s:
            return 0
        left = self.budget.amount_nano - self.spent - self.held + self.free
        wanted = max(0, left) // (LEASED_PART * share_count)
        return wanted if wanted >= LEAST_CALLS * self.largest else 0

    def needs_lease(self, wanted: int) -> bool:
        """Whether the lease is so far from what it should be that Redis should be told."""
        return wanted > _SLACK * self.free or self.free > _SLACK * wanted

    def lease_kept(self, wanted: int, now_s: float) -> int:
        """What no other worker can have, whatever Redis has lost meanwhile."""
        return min(self.free, wanted) if now_s < self.lease_until_s else 0

    def _affordable(self) -> int:
        """An administrator may have taken money away since it was leased."""
        lent = sum(hold.amount for hold in self.open.values() if hold.backing is not Backing.SHARED)
        return self.budget.amount_nano - (self.spent or 0) - (self.unshared - self.reported) - lent

    def _opened(self, hold: Hold) -> Hold:
        self.open[hold.id] = hold
        if hold.amount >= self.largest or hold.opened_s - self.largest_s > _LARGEST_S:
            self.largest, self.largest_s = hold.amount, hold.opened_s
        return hold
