"""Scopes, expiry and single flight against their goals. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from bench.figures import Figure, Goal
from bench.published import Published
from bench.report import Report
from bench.semantic_cache.isolation import Expiry, Flights, Fuzzed


@dataclass(frozen=True, kw_only=True)
class Result:
    fuzzed: Fuzzed
    expiry: Expiry
    flights: Flights


def publish(results: Mapping[str, Result]) -> Published:
    """By backend."""
    report = Report(
        title="Isolation, expiry and single flight of the semantic cache",
        how=(
            "Questions that the cache holds, asked in scopes that differ in tenant, system prompt, earlier turns, "
            "parameters or corpus version; answers read without pause until long after their time; and many at once "
            "with a question that nobody has asked, to two workers, of an engine that takes 0.5 s."
        ),
        figures=[figure for backend, result in results.items() for figure in _figures(backend, result)],
        parts=[part for backend, result in results.items() for part in _parts(backend, result)],
        raw={backend: dataclasses.asdict(result) for backend, result in results.items()},
    )
    return Published(report=report)


def _figures(backend: str, result: Result) -> list[Figure]:
    fuzzed, expiry, flights = result.fuzzed, result.expiry, result.flights
    none = Goal(at_most=0)
    values = (
        (f"hits across scopes in {fuzzed.requests:,} requests", "hits", (float(len(fuzzed.cross_hits)),), none),
        (f"served past their {expiry.ttl_s:g} s", "hits", (float(expiry.late_hits),), none),
        (
            f"calls of the engine for {flights.concurrent} at once",
            "calls",
            tuple(map(float, flights.engine_calls)),
            Goal(at_most=1),
        ),
        (
            "of them answered rightly",
            "answers",
            tuple(map(float, flights.answered)),
            Goal(at_least=flights.concurrent),
        ),
    )
    return [
        Figure(name=f"{backend}: {name}", unit=unit, samples=samples, goal=goal) for name, unit, samples, goal in values
    ]


def _parts(backend: str, result: Result) -> list[str]:
    fuzzed, expiry = result.fuzzed, result.expiry
    scopes = f"{fuzzed.requests:,} requests in {fuzzed.scopes:,} scopes"
    life = f"{expiry.hits:,} hits on answers that live {expiry.ttl_s:g} s; the oldest had been with its client for"
    lines = [
        f"- {scopes}; {fuzzed.own_hits:,} were answered from their own.",
        f"- {life} {expiry.oldest_s:.2f} s; {expiry.renewed} of {expiry.questions} questions were then answered anew.",
        *(f"- WRONG: {hit}" for hit in fuzzed.cross_hits[:20]),
    ]
    return [f"## {backend}", "\n".join(lines)]
