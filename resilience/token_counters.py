"""Who has had how much of an engine: the Virtual Token Counter of one lane. Pure.

After Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024). Each tenant has a counter of the tokens
that it was served, a token of the answer counting twice, by the tenant's weight. The next turn is that of the waiting
tenant with the smallest counter. A tenant that comes back is lifted to the smallest counter of those that wait: it
saved nothing up while it was away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

# What a token costs an engine: a prompt's are computed together, an answer's one by one (the paper's weights).
PREFILL_WEIGHT, DECODE_WEIGHT = 1.0, 2.0
# Of an answer's length, until one has been seen.
_FIRST_GUESS_TOKENS = 64.0
_LEARNING = 0.1
# From this many accounts on those of idle tenants are looked through for what can be forgotten.
_SWEEP_FROM = 64
# More accounts of idle tenants than this are never kept.
_MOST_IDLE = 4096


def weighted_tokens(computed_prompt_tokens: float, output_tokens: float) -> float:
    return computed_prompt_tokens * PREFILL_WEIGHT + output_tokens * DECODE_WEIGHT


class TicketState(Enum):
    WAITING = "waiting"
    SERVED = "served"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Account:
    """What is known of a tenant in a lane."""

    tenant: str
    weight: float
    counter: float
    """Weighted tokens received, by the tenant's weight."""
    mean_output: float
    """Tokens of its answers, a running mean."""
    waiting: OrderedDict[Ticket, None] = field(default_factory=OrderedDict)
    waiting_tokens: float = 0.0
    """Weighted, expected."""
    served: int = 0
    """Turns that it has now."""
    last_start: int = 0
    """Of two with equal counters the one that has waited longer since its last turn is next."""
    received: float = 0.0
    """Of the counter, what it received here since the account was opened."""
    number: int = 0
    """Of the account: that of a tenant which was forgotten meanwhile has another."""

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.served


@dataclass(slots=True, eq=False)
class Ticket:
    """One request from its asking to its end. `granted` is called when its turn has come, unless that was at once."""

    account: Account
    batch: bool
    tokens: float
    """Weighted: what it was charged, or will be."""
    asked_s: float
    granted: Callable[[], None]
    state: TicketState = TicketState.WAITING
    started_s: float = 0.0
    owed_in: int | None = None
    """The time of a waiting batch lane that it was charged in."""


class TokenCounters:
    """The accounts of one lane, and who of it is next."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.waiting: dict[Account, None] = {}
        """Those with a request that waits."""
        self.waiting_requests = 0
        self.waiting_tokens = 0.0
        self._last_gone: Account | None = None
        self._mean_output = _FIRST_GUESS_TOKENS
        self._sweep_at = _SWEEP_FROM
        self._starts = 0
        self._opened = 0

    def account(self, tenant: str, weight: float) -> Account:
        account = self.accounts.get(tenant)
        if account is None:
            if len(self.accounts) >= self._sweep_at:
                self._sweep()
            self._opened += 1
            account = Account(tenant, weight, 0.0, self._mean_output, number=self._opened)
            self.accounts[tenant] = account
        account.weight = weight
        return account

    def floor(self) -> float:
        """What the counter of a tenant that comes is lifted to."""
        if self.waiting:
            return min(account.counter for account in self.waiting)
        return 0.0 if self._last_gone is None else self._last_gone.counter

    def lift(self, account: Account) -> None:
        """It asks again, having nothing that waits."""
        account.counter = max(account.counter, self.floor())

    def join(self, ticket: Ticket) -> None:
        """It waits. An account that has nothing else that waits has been lifted."""
        account = ticket.account
        if not account.waiting:
            self.waiting[account] = None
        account.waiting[ticket] = None
        account.waiting_tokens += ticket.tokens
        self.waiting_requests += 1
        self.waiting_tokens += ticket.tokens

    def leave(self, ticket: Ticket) -> None:
        """It waits no more: its turn has come, or it has gone."""
        account = ticket.account
        del account.waiting[ticket]
        self.waiting_requests -= 1
        account.waiting_tokens -= ticket.tokens
        self.waiting_tokens -= ticket.tokens
        if not account.waiting:
            # Sums of fractions: what is left over by rounding must not add up.
            account.waiting_tokens = 0.0
            del self.waiting[account]
            self._last_gone = account
        if not self.waiting:
            self.waiting_tokens = 0.0

    def next(self) -> Ticket | None:
        if not self.waiting:
            return None
        account = min(self.waiting, key=_place)
        return next(iter(account.waiting))

    def start(self, ticket: Ticket) -> None:
        """Its turn begins; it is charged what it is expected to use."""
        account = ticket.account
        account.served += 1
        self._starts += 1
        account.last_start = self._starts
        self._charge(account, ticket.tokens)
        if not account.waiting:
            self._last_gone = account

    def end(self, ticket: Ticket, tokens: float, output_tokens: int | None) -> None:
        """Its turn ends; it is charged the weighted `tokens` that it used.

        `output_tokens`: None where nothing can be learnt of them.
        """
        account = ticket.account
        account.served -= 1
        self._charge(account, tokens - ticket.tokens)
        ticket.tokens = tokens
        if output_tokens is not None:
            account.mean_output += _LEARNING * (output_tokens - account.mean_output)
            self._mean_output += _LEARNING * (output_tokens - self._mean_output)

    def served_elsewhere(self, tenant: str, charge: float) -> None:
        """By other workers; `charge` is in the counter's unit. A tenant that is not known here is not begun with."""
        account = self.accounts.get(tenant)
        if account is not None:
            account.counter += charge

    def _charge(self, account: Account, tokens: float) -> None:
        charge = tokens / account.weight
        account.counter += charge
        account.received += charge

    def _sweep(self) -> None:
        """Forget who is idle and has had no more than those that wait: it would be lifted to them anyway.

        Who has had more is remembered, or going away would pay.
        """
        floor = self.floor()
        idle = sorted((account for account in self.accounts.values() if account.idle), key=_counter, reverse=True)
        for place, account in enumerate(idle):
            if (account.counter <= floor or place >= _MOST_IDLE) and account is not self._last_gone:
                del self.accounts[account.tenant]
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self.accounts))


def _place(account: Account) -> tuple[float, int]:
    return account.counter, account.last_start


def _counter(account: Account) -> float:
    return account.counter
