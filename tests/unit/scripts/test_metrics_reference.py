"""docs/reference/metrics.md is what the metrics say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.stages.account import _UNKNOWN
from observability.metrics import Metrics
from scripts.metrics_reference import LABELS, NOT_KNOWN, generated_files, metric_rows


@pytest.mark.parametrize(("path", "text"), generated_files().items(), ids=lambda value: getattr(value, "name", ""))
def test_the_written_page_is_what_the_metrics_say(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, "run `make reference`"


def test_the_names_are_those_of_a_scrape() -> None:
    metrics = Metrics()
    exposed = re.findall(r"^# TYPE (\S+) (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    assert [(row.name, row.kind) for row in metric_rows(metrics)] == exposed


def test_every_label_is_described_and_nothing_else() -> None:
    assert {label for row in metric_rows(Metrics()) for label in row.labels} == LABELS.keys()


def test_the_value_for_what_is_not_known_is_the_gateways() -> None:
    assert NOT_KNOWN == _UNKNOWN
