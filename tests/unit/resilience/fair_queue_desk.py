"""A fair queue with a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field

from resilience.fair_queue import FairQueue, Ticket, TicketState

FOREVER_S = 1e9


@dataclass
class Desk:
    """`granted`: whose turn came, in order."""

    limit: int = 1
    max_waiting: int = 1000
    batch_share: float = 0.1
    now_s: float = 100.0
    granted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = FairQueue(
            clock=lambda: self.now_s, limit=self.limit, max_waiting=self.max_waiting, batch_share=self.batch_share
        )

    def ask(
        self,
        tenant: str = "a",
        *,
        weight: float = 1.0,
        batch: bool = False,
        prompt: int = 10,
        output: int = 100,
        patience_s: float = FOREVER_S,
    ) -> Ticket:
        name = f"{tenant}/batch" if batch else tenant
        ticket = self.queue.ask(
            tenant=tenant,
            weight=weight,
            batch=batch,
            prompt_tokens=prompt,
            most_output_tokens=output,
            patience_s=patience_s,
            granted=lambda: self.granted.append(name),
        )
        if ticket.state is TicketState.SERVED:
            self.granted.append(name)
        return ticket

    def end(self, ticket: Ticket, *, prompt: int = 10, output: int | None = 100, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.queue.end(ticket, computed_prompt_tokens=prompt, output_tokens=output)

    def has_served(self, tenant: str, *, each_s: float) -> None:
        """Long enough for it to be known."""
        for _ in range(100):
            self.end(self.ask(tenant), after_s=each_s)
