"""What the parts are held to: whatever a ledger has lost, billed twice or billed wrongly is found out."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from decimal import Decimal

from bench.figures import Verdict
from bench.published import Published
from bench.tenants import cost_report, kills_report, month_report, neighbour_report, race_report, shares_report
from bench.tenants.clients import Asked, End
from bench.tenants.cost import ALL, BARE, BUDGET
from bench.tenants.cost import Round as CostRound
from bench.tenants.faults import WORKER, Strike
from bench.tenants.kills import EngineTokens
from bench.tenants.kills import Result as Killed
from bench.tenants.ledger import Row
from bench.tenants.made_usage import MadeUsage
from bench.tenants.month import MONTH
from bench.tenants.month import Result as Billed
from bench.tenants.neighbour import ALONE, FAIR, FIFO, Effort, EngineSeen, Result
from bench.tenants.neighbour import Round as NoisyRound
from bench.tenants.race import Round as RaceRound
from bench.tenants.shares import Run, Share


def verdicts(published: Published) -> dict[str, Verdict]:
    return {figure.name: figure.verdict for figure in published.report.figures}


def answered(number: int, *, end: End = End.WHOLE, first_s: float | None = 0.1) -> Asked:
    return Asked(
        request_id=f"r-{number}",
        due_s=float(number),
        first_s=first_s,
        whole_s=0.5,
        end=end,
        prompt_tokens=10,
        completion_tokens=20,
    )


def billed(number: int, *, row_id: str = "") -> Row:
    return Row(
        id=row_id or f"row-{number}",
        request_id=f"r-{number}",
        tenant="t",
        outcome="ok",
        upstream="engine",
        estimated=False,
        prompt_tokens=10,
        cached_tokens=0,
        completion_tokens=20,
        cost_nano=1000,
    )


def test_a_ledger_without_a_mistake_has_no_findings() -> None:
    found = kills_report.findings([answered(1), answered(2)], [billed(1), billed(2)])
    assert (found.lost, found.unbilled, found.twice, found.wrong) == ((), (), (), ())
    assert (found.exact_prompt, found.exact_completion) == (20, 40)


def test_every_kind_of_mistake_is_found() -> None:
    asked = [answered(1), answered(2), answered(3), answered(4, end=End.FAILED), answered(5, end=End.CANCELLED)]
    rows = [billed(2), billed(2, row_id="another"), replace(billed(3), completion_tokens=19)]
    found = kills_report.findings(asked, rows)
    assert found.lost == ("r-1",)
    assert found.twice == ("r-2",)
    assert found.wrong == ("r-3",)
    assert found.unbilled == ("r-4", "r-5")


def test_a_client_who_left_before_anything_came_is_owed_no_row() -> None:
    assert not kills_report.findings([answered(1, end=End.LOST, first_s=None)], []).unbilled


def test_kills_are_judged_and_tokens_compared_with_the_engines() -> None:
    killed = Killed(
        asked=[answered(1), answered(2, end=End.CANCELLED)],
        strikes=[Strike(what=WORKER, at_s=1.0, away_s=0.0)],
        rows=[billed(1), replace(billed(2), estimated=True, outcome="cancelled", completion_tokens=7)],
        engine=EngineTokens(prompt=20, completion=30),
        seed=1,
        leaves=1,
    )
    published = kills_report.publish(killed)
    assert set(verdicts(published).values()) == {Verdict.PASS, Verdict.NO_GOAL}
    assert "-3 " in published.report.parts[1]
    lost = kills_report.publish(replace(killed, rows=[]))
    assert verdicts(lost)["whole answers without a row"] is Verdict.FALLS_SHORT


def noisy(ms: float) -> NoisyRound:
    return NoisyRound(
        first_ms=(ms,) * 10,
        whole_ms=(ms * 2,) * 10,
        quiet_ends={"whole": 10},
        noisy_ends={"whole": 100},
        noisy_offered_per_s=250,
        noisy_sent_per_s=200,
        served_per_s=50,
        engine=EngineSeen(running=8, waiting=1, allowed=9),
    )


def test_a_neighbour_is_held_to_what_it_waits_alone() -> None:
    effort = Effort(rounds=1, seconds=1, rate_per_s=5)
    rounds = {ALONE: [noisy(100)], FAIR: [noisy(140)], FIFO: [noisy(900)]}
    found = verdicts(neighbour_report.publish(Result(effort=effort, rounds=rounds)))
    assert found[f"B's p99 of all rounds / alone, whole answer, {FAIR}"] is Verdict.PASS
    assert found[f"B's p99 of all rounds / alone, whole answer, {FIFO}"] is Verdict.NO_GOAL
    late = {**rounds, FAIR: [noisy(160)]}
    found = verdicts(neighbour_report.publish(Result(effort=effort, rounds=late)))
    assert found[f"B's p99 of all rounds / alone, first byte, {FAIR}"] is Verdict.FALLS_SHORT


def test_shares_are_held_to_their_weights() -> None:
    even = Run(weights=(1, 1), shares=tuple(Share(weight=1, tokens=tokens, requests=9) for tokens in (510, 490)))
    uneven = Run(
        weights=(1, 2, 4),
        shares=tuple(
            Share(weight=weight, tokens=tokens, requests=9) for weight, tokens in ((1, 200), (2, 200), (4, 300))
        ),
    )
    found = verdicts(shares_report.publish([even, uneven], seconds=1))
    assert found["farthest from its share, weights 1:1"] is Verdict.PASS
    assert found["farthest from its share, weights 1:2:4"] is Verdict.FALLS_SHORT


def test_one_overspent_round_is_enough() -> None:
    kept = RaceRound(
        budget_usd=Decimal("0.5"),
        spent_usd=Decimal("0.49"),
        dearest_usd=Decimal("0.02"),
        whole=30,
        exhausted=48,
        other=0,
        retry_forbidden=48,
    )
    assert set(verdicts(race_report.publish([kept])).values()) == {Verdict.PASS}
    broken = replace(kept, spent_usd=Decimal("0.500000001"))
    assert verdicts(race_report.publish([kept, kept, broken]))["overspent, worst round"] is Verdict.FALLS_SHORT


def cost_round(requests_per_s: float) -> CostRound:
    return CostRound(requests_per_s=requests_per_s, cpu_us=100, streams_per_s=50, stream_cpu_us=300)


def test_cost_is_held_to_what_the_same_round_gives_without() -> None:
    rounds = {ALL: [cost_round(90)], BUDGET: [cost_round(50)], BARE: [cost_round(100)]}
    found = verdicts(cost_report.publish(rounds, seconds=1))
    assert found["requests/s lost to all three"] is Verdict.PASS
    slow = {**rounds, ALL: [cost_round(84)]}
    assert verdicts(cost_report.publish(slow, seconds=1))["requests/s lost to all three"] is Verdict.FALLS_SHORT


def test_a_nano_dollar_in_one_group_is_enough() -> None:
    made = MadeUsage(month=MONTH, tenants=2, requests=50, seed=1)
    rows = [json.loads(row) for row in made.rows()]
    billed = Billed(
        rows=100,
        sent_twice=1,
        drained_s=1.0,
        expected=made.sums,
        reported=copy.deepcopy(made.sums),
        ledger_usd=sum((Decimal(row["cost_usd"]) for row in rows), Decimal(0)),
        ledger_rows=100,
        query_ms={"by tenant": (5.0, 9.0)},
        table_mb=1.0,
    )
    assert set(verdicts(month_report.publish(billed)).values()) == {Verdict.PASS, Verdict.NO_GOAL}
    wrong = copy.deepcopy(billed.reported)
    next(iter(wrong.values())).cost_usd += Decimal("0.000000001")
    found = verdicts(month_report.publish(replace(billed, reported=wrong)))
    assert list(found.values()).count(Verdict.FALLS_SHORT) == 1
