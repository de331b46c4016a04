from __future__ import annotations

import pytest

from bench.load import Target
from bench.overhead.questions import Questions, RequestTemplate

TARGET = Target(name="probe", port=1, model="m", key="k")


def test_a_number_never_changes_the_length_of_a_request() -> None:
    template = RequestTemplate(TARGET, stream=False, max_tokens=1)
    assert len(template.numbered(0)) == len(template.numbered(9_999_999_999))
    with pytest.raises(ValueError, match="got 10000000000"):
        template.numbered(10_000_000_000)


def test_questions_go_on_where_an_earlier_run_ended() -> None:
    assert Questions(TARGET, first_number=7)(1)[0] == Questions(TARGET)(8)[0]


def test_every_so_many_requests_is_a_stream_with_a_checker() -> None:
    questions = Questions(TARGET, stream_every=3)
    assert [questions(sent)[1] is not None for sent in range(1, 7)] == [False, False, True, False, False, True]
