from __future__ import annotations

import pytest

from serving.tools.validation.deployment import parse_metrics
from serving.tools.validation.metrics_checks import KNOWN, Reading, has_stopped, reading

ENGINE, GATEWAY = KNOWN
TEXT = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="a",engine="0"} 2.0
vllm:num_requests_running{model_name="a",engine="1"} 1.0
vllm:num_requests_waiting{model_name="a",engine="0"} 4.0
# TYPE vllm:request_success counter
vllm:request_success_total{finished_reason="abort",model_name="a"} 3.0
vllm:request_success_total{finished_reason="stop",model_name="a"} 50.0
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{model_name="a"} 1000.0
"""


def test_a_reading_adds_up_all_series() -> None:
    assert reading(parse_metrics(TEXT), ENGINE) == Reading(under_way=7.0, left=3.0, tokens=1000.0)


def test_a_name_that_is_not_there_is_not_zero() -> None:
    found = parse_metrics(TEXT)
    assert found.total("gateway_requests_in_flight") is None
    assert found.total("vllm:request_success_total", finished_reason="error") is None


def test_text_that_is_no_metrics_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the parser's own words
        parse_metrics("<html>not metrics</html>")


@pytest.mark.parametrize(
    ("left", "tokens", "stopped"),
    [(4.0, 5000.0, True), (3.0, 1020.0, True), (3.0, 1000.0 + 2048, False)],
    ids=["counted as left", "few tokens made", "all tokens made"],
)
def test_whether_the_engine_stopped(left: float, tokens: float, stopped: bool) -> None:
    before = Reading(under_way=0.0, left=3.0, tokens=1000.0)
    assert has_stopped(before, Reading(under_way=0.0, left=left, tokens=tokens), ENGINE) is stopped


def test_a_gateway_that_counts_no_tokens_has_to_count_who_left() -> None:
    before = Reading(under_way=0.0, left=3.0, tokens=0.0)
    assert has_stopped(before, before, GATEWAY) is None
    assert has_stopped(before, Reading(under_way=0.0, left=4.0, tokens=0.0), GATEWAY) is True
