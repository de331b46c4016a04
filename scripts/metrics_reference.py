"""Writes `docs/reference/metrics.md` from the gateway's metrics themselves: `make reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from observability.metrics import Metrics
from serving.catalogue.base import WILDCARD_LABEL
from serving.types import Endpoint

NOT_KNOWN = "none"
ROOT = Path(__file__).resolve().parents[1]
# Label -> the values that it can take; there are no others, so a client cannot make series.
LABELS = {
    "route": ", ".join(f"`{endpoint.value}`" for endpoint in Endpoint)
    + "; of the corpus API `rag/` and `documents`, `collections` or `query`",
    "model": f"a name in the catalogue; `{WILDCARD_LABEL}`: any model that is passed on to an upstream; "
    f"`{NOT_KNOWN}`: refused before the model was known, or one has no part in it",
    "tenant": f"a tenant of `API_KEYS` or of the directory; `{NOT_KNOWN}`: without a valid key",
    "outcome": "`ok`; of requests also the code of the error's class in `api/errors.py`, `invalid_request_error`, "
    "`rejected_by_engine`, `cancelled` (by the client) and `shutdown`; of attempts also a class in "
    "`serving/errors.py`; of answers that came to the cache `stored`, `purged`, `expired`, `too_large`, `no_room`, "
    "`failed`, `fallback`, and what made them unfit: `finish_reason`, `not_text`, `refusal`, `empty`, `incomplete`, "
    "`too_long`, `error`, `degraded`, `no_passages`; of completions from documents also `cached`, `stale` and "
    "`no_passages`; of marks `kept`, `unknown`, `unsupported`; of turns of sessions what the metric's own row says",
    "kind": "of tokens `prefill`, `cached`, `decode`; of saved tokens `prompt`, `completion`",
    "to": "`redis`, `disk`, `postgres`, `refused`",
    "limit": "`requests`, `tokens`",
    "whose": "`worker`, `tenant`",
    "window": "`key`, `tenant`, `model` (of a key or a tenant, to one model)",
    "upstream": "an upstream of the catalogue",
    "engines": "upstreams of the catalogue that serve the same models, with `+` in between",
    "lane": "`interactive`, `batch`",
    "reason": "`queue_full`, `too_late`, `timed_out`",
    "status": "what `X-Cache` says of a look-up: `exact`, `canonical`, `semantic`, `miss`, `bypass`",
    "part": "of the cache `store`, `index`, `embedder`; of answers from documents `embedder`, `rerank`, `corpus`",
    "step": "`embed`, `search`, `rerank`",
    "version": "`v1`, `v2`, `v3`, `v4`",
    "state": "`new`, `continued`, `stateless`",
    "verdict": "`agree`, `differ`, `undecided`",
}

_HEADER = """\
# Metrics

`GET /metrics` of the gateway, in Prometheus' text format, without a key. Written by `make reference` from
`observability/metrics.py`.

Each worker process counts in files of its own, and whichever worker is asked adds the files of all up: the numbers are
those of the whole gateway. Counters and histograms keep what a worker that died had counted; gauges are the sum over
the workers that live, save for `gateway_cache_demoted_classes`, of which all say the same, and `gateway_directory_*`,
which are those of the worker that is worst off. All start at zero with the gateway. Several gateways are several
targets: add them up in queries.

Engines have metrics of their own; those of MockLLM have vLLM's names: [mock-llm.md](mock-llm.md).

"""
_LABELS_HEADER = """
A histogram `NAME` is exposed as `NAME_bucket` (with the label `le`), `NAME_sum` and `NAME_count`.

## Labels

No label takes a value that a client can invent, so the number of series is bounded by the catalogue and the keys.

"""


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    name: str
    """As exposed: a counter ends in `_total`."""
    kind: str
    """`counter`, `gauge` or `histogram`."""
    labels: tuple[str, ...]
    meaning: str


def metric_rows(metrics: Metrics) -> Iterator[MetricRow]:
    """Every metric, in the order of the catalogue."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = tuple(metric._labelnames)  # noqa: SLF001 - the library shows labels only once they have values
            yield MetricRow(name=name, kind=family.type, labels=labels, meaning=family.documentation)


def metrics_page() -> str:
    """The text of `docs/reference/metrics.md`. Raises KeyError for a label that LABELS does not describe."""
    rows = list(metric_rows(Metrics()))
    used = dict.fromkeys(label for row in rows for label in row.labels)
    parts = [_HEADER, "| metric | type | labels | meaning |\n|---|---|---|---|\n"]
    parts += [f"| `{row.name}` | {row.kind} | {_as_code(row.labels)} | {row.meaning} |\n" for row in rows]
    parts += [_LABELS_HEADER, "| label | values |\n|---|---|\n"]
    parts += [f"| `{label}` | {LABELS[label]} |\n" for label in used]
    return "".join(parts)


def generated_files(root: Path = ROOT) -> dict[Path, str]:
    return {root / "docs" / "reference" / "metrics.md": metrics_page()}


def main() -> int:
    for path, text in generated_files().items():
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)}")
    return 0


def _as_code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
