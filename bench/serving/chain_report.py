"""The figures of the whole chain over vLLM alone, and the goals they are held to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.figures import Figure, Goal, differences, ratios
from bench.report import Report, rounds_table
from bench.serving.chain import BARE, CHAIN, STREAMS, Model, Round
from bench.serving.effort import Effort

Rounds = Mapping[str, Sequence[Round]]

_COLUMNS: dict[str, Callable[[Round], float]] = {
    "first token, 1 stream (ms)": lambda sample: sample.first_token_ms_1,
    "gap, 1 stream (ms)": lambda sample: sample.gap_ms_1,
    f"first token, {STREAMS} (ms)": lambda sample: sample.first_token_ms_16,
    f"gap, {STREAMS} (ms)": lambda sample: sample.gap_ms_16,
    f"gap p99, {STREAMS} (ms)": lambda sample: sample.gap_p99_ms_16,
    f"tokens/s, {STREAMS}": lambda sample: sample.tokens_per_s,
    "engine busy": lambda sample: sample.engine_busy,
    "way busy": lambda sample: sample.way_busy,
    "load busy": lambda sample: sample.load_busy,
    "other engine busy": lambda sample: sample.idle_engine_busy,
}


def figures(rounds: Rounds, *, model: Model) -> list[Figure]:
    def column(name: str, pick: Callable[[Round], float]) -> list[float]:
        return [pick(sample) for sample in rounds[name]]

    def first_token(streams: int, pick: Callable[[Round], float]) -> Figure:
        return Figure(
            name=f"{model.name}: p50 time to the first token added, {streams} at once",
            unit="ms",
            samples=differences(column(CHAIN, pick), column(BARE, pick)),
            goal=Goal(at_most=5),
        )

    def rate(sample: Round) -> float:
        return sample.tokens_per_s

    return [
        first_token(1, lambda sample: sample.first_token_ms_1),
        first_token(STREAMS, lambda sample: sample.first_token_ms_16),
        Figure(
            name=f"{model.name}: tokens/s, {STREAMS} streams at once, chain / vLLM alone",
            unit="x",
            samples=ratios(column(CHAIN, rate), column(BARE, rate)),
            goal=Goal(at_least=0.95),
        ),
    ]


def report(results: Mapping[Model, Rounds], *, effort: Effort) -> Report:
    how = (
        "Real vLLM, CPU build, with random weights. What a GPU would do one core does here: vLLM's processes that "
        "schedule and compute have it to themselves, and everything else, the load generator too, shares the other "
        "cores. Two engines run, one of them behind Ray; only one is asked at a time. First tokens of single streams "
        f"are of short prompts that no cache has. {effort.rounds} interleaved rounds of {effort.seconds:g} s per part."
    )
    found = [figure for model, rounds in results.items() for figure in figures(rounds, model=model)]
    parts = []
    for model, rounds in results.items():
        parts += [
            f"## {model.name}",
            f"{model.layers} layers, hidden size {model.hidden_size}: {model.why}",
            rounds_table(rounds, _COLUMNS, first="asked"),
        ]
    return Report(
        title="What the chain in front of vLLM costs",
        how=how,
        figures=found,
        parts=parts,
        raw={model.name: rounds for model, rounds in results.items()},
    )
