"""The figures of the spike, and the goals they are held to. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bench.figures import Figure, Goal, percentile
from bench.report import Report
from bench.serving.spike import DOWNSCALE_DELAY_S, LEAST, MOST, Phase, Result
from bench.serving.timeline import timeline
from bench.tables import number, table


def figures(result: Result) -> list[Figure]:
    def one(name: str, unit: str, value: float, goal: Goal | None = None) -> Figure:
        return Figure(name=name, unit=unit, samples=(value,), goal=goal)

    whole, failed = len(result.answers), len(result.failed_at_s)
    spike = max(result.phases, key=lambda phase: phase.users)
    grown = _when(result, lambda replicas: replicas == MOST)
    found = [
        one("requests that failed, or streams that were cut", f"of {whole + failed}", failed, _NONE),
        one(f"most replicas with {spike.users} users", "replicas", _most(result), Goal(at_least=MOST)),
        one("replicas at the end", "replicas", result.samples[-1].replicas, Goal(at_most=LEAST)),
    ]
    if grown is not None:
        begin = next(sample.at_s for sample in result.samples if sample.users == spike.users)
        found.append(one(f"from the spike to {MOST} replicas", "s", grown - begin))
    return found


_NONE = Goal(at_most=0)


def report(result: Result) -> Report:
    how = (
        "Users, each with one streamed answer of 64 to 256 tokens after the other, at the edge of the whole chain: "
        "Nginx, gateway, Nginx, Ray Serve, and MockLLM replicas at the speed of Mistral-7B on an A10G. "
        f"target_ongoing_requests 10, {LEAST} to {MOST} replicas, downscale_delay_s {DOWNSCALE_DELAY_S:g}, else the "
        "defaults. Every stream is checked: as many tokens as were asked for, a finish reason, [DONE]."
    )
    series = {
        "users": [(sample.at_s, sample.users) for sample in result.samples],
        "replicas": [(sample.at_s, sample.replicas) for sample in result.samples],
    }
    plot = timeline(series, end_s=result.samples[-1].at_s)
    return Report(
        title="A spike of users",
        how=how,
        figures=figures(result),
        parts=["## Along time", f"```\n{plot}\n```", "## What users saw", _phases(result), *_problems(result)],
        raw=result,
    )


def _phases(result: Result) -> str:
    header = ["phase", "users", "seconds", "whole answers", "first token p50 (ms)", "p95 (ms)", "longest gap (ms)"]
    return table(header, [_phase(result, phase) for phase in result.phases])


def _phase(result: Result, phase: Phase) -> list[str]:
    answers = [answer for answer in result.answers if answer.phase == phase.name]
    counted = [phase.name, str(phase.users), f"{phase.seconds:g}", str(len(answers))]
    first_ms = [answer.first_token_s * 1e3 for answer in answers if answer.first_token_s is not None]
    if not first_ms:
        return [*counted, "-", "-", "-"]
    gap_ms = max(answer.longest_gap_s for answer in answers) * 1e3
    return [*counted, number(percentile(first_ms, 0.5)), number(percentile(first_ms, 0.95)), number(gap_ms)]


def _problems(result: Result) -> list[str]:
    if not result.failed_at_s:
        return []
    when = ", ".join(f"{at_s:.1f}" for at_s in result.failed_at_s)
    return [f"Sent {when} s after the start and not answered whole:", "\n".join(f"- {one}" for one in result.problems)]


def _most(result: Result) -> int:
    return max(sample.replicas for sample in result.samples)


def _when(result: Result, holds: Callable[[int], bool]) -> float | None:
    return next((sample.at_s for sample in result.samples if holds(sample.replicas)), None)
