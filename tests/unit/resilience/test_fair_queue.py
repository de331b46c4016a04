"""Whose turn it is, one rule at a time."""

from __future__ import annotations

from collections import Counter

import pytest

from resilience.fair_queue import Refusal, Refused, TicketState
from resilience.token_counters import weighted_tokens
from tests.unit.resilience.fair_queue_desk import Desk


def test_an_idle_engine_serves_at_once() -> None:
    desk = Desk(limit=2)
    assert desk.ask().state is TicketState.SERVED
    assert desk.ask().state is TicketState.SERVED
    assert desk.ask().state is TicketState.WAITING


def test_of_one_tenant_the_first_is_first() -> None:
    desk = Desk()
    first, *others = [desk.ask() for _ in range(4)]
    desk.end(first)
    assert [ticket.state for ticket in others] == [TicketState.SERVED, TicketState.WAITING, TicketState.WAITING]


def test_a_flood_does_not_stand_before_a_neighbour() -> None:
    desk = Desk()
    running = desk.ask("a")
    for _ in range(50):
        desk.ask("a")
    desk.ask("b")
    desk.end(running)
    assert desk.granted == ["a", "b"]


def test_a_newcomer_does_not_wait_for_a_turn_of_the_flood_to_end() -> None:
    desk = Desk(limit=8)
    flood = [desk.ask("a") for _ in range(20)]
    assert desk.ask("b").state is TicketState.SERVED
    batch = desk.ask("c", batch=True)
    assert batch.state is TicketState.WAITING, "nobody waits for it"
    desk.end(batch)
    assert desk.ask("d").state is TicketState.SERVED
    desk.ask("e")
    assert "e" not in desk.granted, "a quarter of the limit is beyond it"
    desk.end(flood[0])
    assert "e" in desk.granted, "which is paid back by what ends and is not handed on"
    assert desk.queue.served == 10
    for ticket in flood[1:3]:
        desk.end(ticket)
    assert desk.queue.served == 8


def test_of_a_lower_limit_a_newcomer_has_its_turn_at_once() -> None:
    desk = Desk(limit=16)
    for _ in range(30):
        desk.ask("a")
    desk.queue.set_limit(8)
    assert desk.ask("b").state is TicketState.SERVED
    assert desk.queue.served == 17


def test_what_is_charged_in_advance_is_not_held_against_who_has_few_turns() -> None:
    desk = Desk(limit=8)
    for _ in range(20):
        desk.ask("a")
    assert [desk.ask("b").state for _ in range(3)] == [TicketState.SERVED, TicketState.SERVED, TicketState.WAITING], (
        "a quarter of the limit is all that may go beyond it"
    )


def test_who_is_ahead_is_no_newcomer() -> None:
    desk = Desk(limit=8)
    for _ in range(20):
        desk.ask("a")
    ahead = desk.ask("b")
    waiting = desk.ask("b")
    desk.end(ahead, prompt=10_000)
    desk.end(waiting)
    assert desk.ask("b").state is TicketState.WAITING


def test_idle_time_is_no_credit() -> None:
    """B has had nothing while A was served for long; from now on they take turns."""
    desk = Desk()
    for _ in range(100):
        desk.end(desk.ask("a"))
    running = [desk.ask("a")]
    queued = [desk.ask(tenant) for tenant in "ababababab"]
    while running or any(ticket.state is TicketState.SERVED for ticket in queued):
        serving = running or [ticket for ticket in queued if ticket.state is TicketState.SERVED]
        running = []
        for ticket in serving:
            desk.end(ticket)
    after = desk.granted[101:]
    assert Counter(after) == {"a": 5, "b": 5}
    assert Counter(after[:6]) == {"a": 3, "b": 3}


def test_going_away_pays_no_debt() -> None:
    """A has had much more than B while both waited; it goes and comes back, and B is still first."""
    desk = Desk()
    running, greedy, waiting = desk.ask("x"), desk.ask("a"), desk.ask("b")
    desk.end(running)
    desk.end(greedy, prompt=1_000_000)
    for place in range(300):  # many others come and go, so that accounts are looked through
        ticket = desk.ask(f"other-{place}")
        desk.end(waiting)
        waiting = ticket
    desk.ask("a")
    desk.ask("b")
    desk.granted.clear()
    desk.end(waiting)
    assert desk.granted == ["b"]


def test_who_cost_less_than_expected_gets_it_back() -> None:
    desk = Desk()
    running = desk.ask("a", prompt=1000, output=1000)
    charged = desk.queue.lane(batch=False).accounts["a"].counter
    assert charged > 1000
    desk.queue.end(running)  # it failed: nothing was used
    assert desk.queue.lane(batch=False).accounts["a"].counter == 0


def test_the_expected_length_follows_the_tenant() -> None:
    desk = Desk()
    for _ in range(100):
        desk.end(desk.ask("short"), output=4)
        desk.end(desk.ask("long"), output=900)
    accounts = desk.queue.lane(batch=False).accounts
    assert accounts["short"].mean_output == pytest.approx(4, abs=1)
    assert accounts["long"].mean_output == pytest.approx(900, rel=0.02)


def test_what_a_cancelled_request_has_used_is_charged() -> None:
    desk = Desk()
    desk.end(desk.ask("a", prompt=50), prompt=50, output=None)
    assert desk.queue.lane(batch=False).accounts["a"].counter == weighted_tokens(50, 0)


def test_interactive_goes_before_batch() -> None:
    desk = Desk()
    running = desk.ask("a")
    desk.ask("a", batch=True)
    desk.ask("b", batch=True)
    last = [desk.ask("a"), desk.ask("b")]
    desk.end(running)
    desk.end(last[1])
    assert "a/batch" not in desk.granted[:2]
    assert desk.granted[1] in "ab"


def test_a_full_queue_refuses_and_says_when() -> None:
    desk = Desk(max_waiting=2)
    desk.has_served("a", each_s=8.0)
    for _ in range(3):
        desk.ask("a")
    with pytest.raises(Refused) as refused:
        desk.ask("a")
    assert refused.value.reason is Refusal.QUEUE_FULL
    assert refused.value.retry_after_s == pytest.approx(16.0, rel=0.01)
    assert desk.ask("b").state is TicketState.WAITING, "the bound is each tenant's own"
    assert desk.ask("a", batch=True).state is TicketState.WAITING, "and each lane's"


def test_a_request_that_cannot_begin_in_time_is_refused_at_once() -> None:
    desk = Desk()
    desk.has_served("a", each_s=2.0)
    for _ in range(6):
        desk.ask("a")
    with pytest.raises(Refused) as refused:
        desk.ask("a", patience_s=9.0)
    assert refused.value.reason is Refusal.TOO_LATE
    assert 1.0 <= refused.value.retry_after_s <= 3.0
    assert desk.ask("a", patience_s=12.0).state is TicketState.WAITING
    # The neighbour's turn comes next, whatever waits of the flood.
    assert desk.ask("b", patience_s=3.0).state is TicketState.WAITING


def test_an_engine_that_has_become_slow_is_noticed_before_it_answers() -> None:
    desk = Desk()
    desk.end(desk.ask(), after_s=1.0)
    desk.ask()
    desk.ask()
    assert desk.ask(patience_s=5.0).state is TicketState.WAITING
    desk.now_s += 60.0
    with pytest.raises(Refused):
        desk.ask(patience_s=5.0)


def test_nobody_is_refused_before_anything_is_known() -> None:
    desk = Desk()
    for _ in range(100):
        desk.ask(patience_s=0.5)
    assert desk.queue.waiting == 99


def test_no_time_left_is_no_turn_to_wait_for() -> None:
    desk = Desk()
    desk.ask()
    with pytest.raises(Refused):
        desk.ask(patience_s=0.0)


def test_a_higher_limit_is_used_at_once_and_a_lower_one_takes_nothing_away() -> None:
    desk = Desk(limit=4)
    tickets = [desk.ask() for _ in range(8)]
    desk.queue.set_limit(2)
    assert desk.queue.served == 4
    desk.end(tickets[0])
    desk.end(tickets[1])
    assert desk.queue.served == 2
    desk.queue.set_limit(5)
    assert desk.queue.served == 5


def test_what_is_idle_is_forgotten() -> None:
    desk = Desk()
    for number in range(20_000):
        desk.end(desk.ask(f"tenant-{number}"))
    assert len(desk.queue.lane(batch=False).accounts) < 200
