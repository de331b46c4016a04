"""What a worker tells Redis of an account, and what becomes of the account by the answer.

The answer may never come, and what was told may have arrived or not. So before it is sent the account gives up what it
would not have any more, and only by the answer it gets what it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.tenants.budgets.account import Account, Backing, Hold
from api.tenants.budgets.shared_state import Standing, Tell

# By then the ledger has what an ended call did cost.
_COVER_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Seconds."""

    hold_s: float
    """What is set aside for a call comes back after so long, whatever became of its worker."""
    lease_s: float
    """A worker that has not reached Redis for so long spends no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    account: Account
    told: Tell
    holds: list[tuple[str, int, int]]
    lent: list[Hold]
    doubtful: list[str]
    sent_s: float
    spans: Spans

    def confirm(self, standing: Standing) -> None:
        account = self.account
        if standing.verdict != "told":
            return
        account.learn(standing.spent, standing.held, is_short=standing.is_short, now_s=self.sent_s)
        account.reported = max(account.reported, self.told.reported)
        account.free += standing.lease - self.told.lease_kept
        account.lease_until_s = self.sent_s + self.spans.lease_s
        account.told_s = self.sent_s
        for hold in self.lent:
            hold.backing = Backing.SHARED
        # Their cost has been reported with the worker's own spending.
        account.ended.update(dict.fromkeys(self.doubtful, 0))
        account.doubtful = [id_ for id_ in account.doubtful if id_ not in self.doubtful]


def begin(account: Account, *, wanted: int, floor: int, now_s: float, spans: Spans, everything: bool) -> Telling:
    """`wanted`: the lease. `floor`: as `Account.floor`. `everything`: Redis may have lost what it was told before."""
    kept = account.lease_kept(wanted, now_s)
    account.free, account.wants_telling = kept, False
    lent = [hold for hold in account.open.values() if hold.backing is not Backing.SHARED]
    for hold in lent:
        hold.backing = Backing.DOUBTFUL
    telling = Telling(
        account=account,
        told=Tell(
            budget=account.budget.amount_nano,
            soft=account.soft_nano,
            seed=account.ledger_sum(),
            floor=floor,
            reported_before=account.reported,
            reported=account.unshared,
            lease_kept=kept,
            lease_wanted=wanted,
            lease_ttl_ms=_ms(spans.lease_s + spans.hold_s),
        ),
        holds=[
            (hold.id, hold.amount, _ms(hold.opened_s + spans.hold_s - now_s))
            for hold in (list(account.open.values()) if everything else lent)
        ],
        lent=lent,
        doubtful=list(account.doubtful),
        sent_s=now_s,
        spans=spans,
    )
    if everything:
        telling.holds.extend(_covers(account, now_s))
    return telling


def _covers(account: Account, now_s: float) -> Iterator[tuple[str, int, int]]:
    account.covers = {id_: cover for id_, cover in account.covers.items() if cover[1] > now_s}
    for id_, cost in account.ended.items():
        if cost:
            account.covers.setdefault(id_, (cost, now_s + _COVER_S))
    for id_, (cost, until_s) in account.covers.items():
        yield f"cover:{id_}", cost, _ms(until_s - now_s)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
