"""How many of the nearest were found, and what filling took, with verdicts against the goals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from bench import plots
from bench.figures import Figure, Goal, percentile
from bench.published import Published, csv_text
from bench.rag.filling import Filled, Sample
from bench.rag.index import DEPTH, EF_SEARCH, Found, Recalled
from bench.report import Report
from bench.tables import number, table

_RECALL = Goal(at_least=0.97)
_CHUNKS_PER_S = Goal(at_least=100)
_FLAT = Goal(at_most=1.1)
_MIB = 2**20
_WINDOWS = 10
"""The filling is looked at in so many parts of the same number of samples."""


def publish(filled: Filled, results: Sequence[Recalled]) -> Published:
    report = Report(
        title=f"Filling a corpus with {filled.chunks:,} chunks, and what its index finds",
        how=(
            f"{filled.documents:,} made-up documents were uploaded, {filled.uploads} at a time, to "
            "`POST /v1/rag/documents` of a gateway with two workers, which reads, splits, embeds and stores them; "
            f"filled {filled.at}. Recall@{DEPTH}: the share of the {DEPTH} nearest chunks, found by a look at every "
            "one of them as the tenant's own role, that `POST /v1/rag/query` (v1) finds for questions that the "
            f"documents answer. A second tenant has {filled.neighbour_chunks:,} chunks in the same tables."
        ),
        figures=[*_recall_figures(results), *_filling_figures(filled)],
        parts=[
            "## By ef_search, asked of Postgres directly",
            _graph_table(results),
            "## The filling, in tenths",
            _filling_table(filled),
        ],
        raw={"filled": filled, "recalled": [_raw(result) for result in results]},
    )
    return Published(
        report=report,
        tables={"filling": _filling_csv(filled), "recall": _recall_csv(results)},
        plots={
            f"recall@{DEPTH} by ef_search": _recall_picture(results),
            "memory while a corpus is filled": _memory_picture(filled),
            "chunks stored in a second": _pace_picture(filled),
        },
    )


def _recall_figures(results: Sequence[Recalled]) -> Iterator[Figure]:
    for result in results:
        yield Figure(
            name=f"{result.tenant}, {result.chunks:,} chunks, {len(result.found)} questions: recall@{DEPTH} of exact",
            unit="share",
            samples=(fmean(found.platform for found in result.found),),
            goal=_RECALL,
        )


def _filling_figures(filled: Filled) -> Iterator[Figure]:
    yield Figure(name="ingestion", unit="chunks/s", samples=(filled.chunks_per_s,), goal=_CHUNKS_PER_S)
    parts = windows(filled.samples)
    if len(parts) == _WINDOWS:
        # In the first part the workers still reach the size at which they work.
        growth = _memory(parts[-1]) / _memory(parts[1])
        yield Figure(name="gateway's memory, last tenth / second", unit="ratio", samples=(growth,), goal=_FLAT)


def windows(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """Ten parts in their order; none where there are too few samples."""
    size = len(samples) // _WINDOWS
    if size < 2:  # each part's pace needs two
        return []
    return [samples[start * size : (start + 1) * size] for start in range(_WINDOWS)]


def _memory(samples: Sequence[Sample]) -> float:
    return median(sample.gateway_bytes for sample in samples)


def _graph_table(results: Sequence[Recalled]) -> str:
    rows = []
    for result in results:
        for ef_search in EF_SEARCH:
            recalls = fmean(found.by_graph[ef_search] for found in result.found)
            rows.append(_row(result, str(ef_search), recalls, [found.graph_s[ef_search] for found in result.found]))
        rows.append(_row(result, "exact", 1.0, [found.exact_s for found in result.found]))
    return table(["chunks", "ef_search", f"recall@{DEPTH}", "p50 (ms)", "p99 (ms)"], rows)


def _row(result: Recalled, name: str, recalls: float, seconds: Sequence[float]) -> list[str]:
    times = [number(percentile(seconds, fraction) * 1e3) for fraction in (0.5, 0.99)]
    return [f"{result.chunks:,}", name, f"{recalls:.4f}", *times]


def _filling_table(filled: Filled) -> str:
    rows = [
        [
            f"{part[-1].chunks:,}",
            number((part[-1].chunks - part[0].chunks) / (part[-1].at_s - part[0].at_s)),
            number(_memory(part) / _MIB),
            number(max(sample.readers_bytes for sample in part) / _MIB),
        ]
        for part in windows(filled.samples)
    ]
    header = ["chunks", "chunks/s", "gateway (MiB, median)", "readers (MiB, most)"]
    return table(header, rows) if rows else "Too short to tell."


def _recall_picture(results: Sequence[Recalled]) -> bytes:
    points = [float(ef_search) for ef_search in EF_SEARCH]
    series = {
        f"{result.chunks:,} chunks": (points, [fmean(one.by_graph[ef] for one in result.found) for ef in EF_SEARCH])
        for result in results
    }
    return plots.lines(series, x="ef_search", y=f"recall@{DEPTH}", logarithmic=True)


def _memory_picture(filled: Filled) -> bytes:
    minutes = [sample.at_s / 60 for sample in filled.samples]
    series = {
        "gateway": (minutes, [sample.gateway_bytes / _MIB for sample in filled.samples]),
        "readers of documents": (minutes, [sample.readers_bytes / _MIB for sample in filled.samples]),
    }
    return plots.lines(series, x="minutes", y="resident memory (MiB)")


def _pace_picture(filled: Filled) -> bytes:
    parts = windows(filled.samples) or [filled.samples]
    paces = [
        (part[-1].chunks - part[0].chunks) / max(part[-1].at_s - part[0].at_s, 1e-9) for part in parts if len(part) > 1
    ]
    stored = [float(part[-1].chunks) for part in parts if len(part) > 1]
    return plots.lines({"chunks a second": (stored, paces)}, x="chunks", y="chunks/s")


def _raw(result: Recalled) -> dict[str, object]:
    return {"tenant": result.tenant, "chunks": result.chunks, "found": [_row_of(found) for found in result.found]}


def _row_of(found: Found) -> list[object]:
    return [found.platform, *(found.by_graph[ef_search] for ef_search in EF_SEARCH)]


def _filling_csv(filled: Filled) -> str:
    rows = ([f"{s.at_s:.1f}", s.chunks, s.gateway_bytes, s.readers_bytes] for s in filled.samples)
    return csv_text(["at_s", "chunks", "gateway_bytes", "readers_bytes"], rows)


def _recall_csv(results: Sequence[Recalled]) -> str:
    rows = (
        [result.tenant, result.chunks, found.question, *_row_of(found), f"{found.exact_s * 1e3:.3f}"]
        for result in results
        for found in result.found
    )
    sweep = [f"ef_search_{ef_search}" for ef_search in EF_SEARCH]
    return csv_text(["tenant", "chunks", "question", "platform", *sweep, "exact_ms"], rows)
