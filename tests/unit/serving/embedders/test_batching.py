from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from serving.embedders.batching import BatchLimits, Job, JobQueue

SMALL = BatchLimits(texts=3, chars=10, text_chars=8)


def job(*texts: str, abandoned: bool = False) -> Job:
    return Job(texts, is_abandoned=lambda: abandoned)


def queue(*, urgent: Sequence[Job] = (), bulk: Sequence[Job] = ()) -> JobQueue:
    made = JobQueue(limits=SMALL, bulk_limits=SMALL)
    for waiting in urgent:
        made.put(waiting, bulk=False)
    for waiting in bulk:
        made.put(waiting, bulk=True)
    return made


def taken(jobs: JobQueue) -> list[str]:
    return [piece.text for piece in jobs.take()]


def test_what_arrived_meanwhile_is_one_batch() -> None:
    jobs = queue(urgent=[job("a"), job("b")])
    assert taken(jobs) == ["a", "b"]
    assert taken(jobs) == []


def test_a_batch_has_few_texts() -> None:
    jobs = queue(urgent=[job(name) for name in "abcde"])
    assert [taken(jobs), taken(jobs)] == [["a", "b", "c"], ["d", "e"]]


def test_a_batch_has_little_text() -> None:
    jobs = queue(urgent=[job("a" * 6), job("b" * 5), job("c" * 4)])
    assert [taken(jobs), taken(jobs)] == [["a" * 6], ["b" * 5, "c" * 4]]


def test_a_text_that_is_larger_than_a_batch_is_one() -> None:
    jobs = queue(urgent=[job("a" * 100), job("b")])
    # As much as the model reads of it counts: 8 of its characters and one more are within ten.
    assert taken(jobs) == ["a" * 100, "b"]


def test_bulk_work_has_its_turn_when_there_is_no_other() -> None:
    jobs = queue(urgent=[job("now")], bulk=[job("later", "and")])
    assert taken(jobs) == ["now"]
    assert taken(jobs) == ["later", "and"]


def test_a_question_passes_all_bulk_work_but_the_batch_that_runs() -> None:
    jobs = queue(bulk=[job(*"abcdef")])
    assert taken(jobs) == ["a", "b", "c"]
    jobs.put(job("question"), bulk=False)
    assert taken(jobs) == ["question"]
    assert taken(jobs) == ["d", "e", "f"]


def test_a_large_call_does_not_make_a_small_one_wait_for_its_end() -> None:
    small = job("s")
    jobs = queue(bulk=[job(*"abcdefgh"), small])
    assert [piece.job is small for piece in jobs.take()].count(True) == 1


def test_what_nobody_waits_for_is_dropped() -> None:
    jobs = queue(urgent=[job("gone", abandoned=True), job("here")], bulk=[job("gone too", abandoned=True)])
    assert taken(jobs) == ["here"]
    assert taken(jobs) == []


def test_a_job_that_is_abandoned_half_way_goes_no_further() -> None:
    gone = False
    half = Job(tuple("abcdef"), is_abandoned=lambda: gone)
    jobs = queue(urgent=[half])
    assert taken(jobs) == ["a", "b", "c"]
    gone = True
    assert taken(jobs) == []


def test_drained_is_all_that_waits() -> None:
    one, two = job("a"), job("b")
    jobs = queue(urgent=[one], bulk=[two])
    assert len(jobs) == 2
    assert jobs.drain() == [one, two]
    assert taken(jobs) == []


def test_a_result_is_there_when_every_text_has_its_vector() -> None:
    two = job("a", "b")
    two.put(1, b"B")
    assert two.result() is None
    two.put(0, b"A")
    assert two.result() == [b"A", b"B"]


@given(st.lists(st.tuples(st.lists(st.text(max_size=12), min_size=1, max_size=7), st.booleans()), max_size=8))
def test_every_text_is_taken_once_and_comes_back_in_its_place(calls: list[tuple[list[str], bool]]) -> None:
    jobs = JobQueue(limits=SMALL, bulk_limits=BatchLimits(texts=2, chars=5))
    made = []
    for texts, bulk in calls:
        made.append(job(*texts))
        jobs.put(made[-1], bulk=bulk)
    while batch := jobs.take():
        assert len(batch) <= 3
        for piece in batch:
            piece.job.put(piece.position, piece.text.encode())
    assert [one.result() for one in made] == [[text.encode() for text in texts] for texts, _ in calls]
