from __future__ import annotations

from resilience.cool_down import FIRST_PAUSE_S, LONGEST_PAUSE_S, MOST_FAILURES, CoolDown


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def failing(clock: Clock) -> CoolDown:
    cool_down = CoolDown(clock)
    for _ in range(MOST_FAILURES):
        assert cool_down.allows()
        cool_down.failed()
    return cool_down


def test_failures_in_a_row_begin_it_and_others_do_not() -> None:
    cool_down = CoolDown(Clock())
    for _ in range(10):
        for _ in range(MOST_FAILURES - 1):
            cool_down.failed()
        cool_down.succeeded()
        assert cool_down.allows()
    assert not failing(Clock()).allows()


def test_one_call_tries_after_each_pause_and_pauses_grow_to_a_limit() -> None:
    clock = Clock()
    cool_down = failing(clock)
    pause_s = FIRST_PAUSE_S
    for _ in range(8):
        clock.now_s += pause_s - 0.001
        assert not cool_down.allows()
        clock.now_s += 0.001
        assert [cool_down.allows() for _ in range(3)] == [True, False, False]
        cool_down.failed()
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    assert pause_s == LONGEST_PAUSE_S


def test_many_that_fail_together_make_no_longer_pause_than_three() -> None:
    clock = Clock()
    cool_down = failing(clock)
    for _ in range(50):
        cool_down.failed()
    clock.now_s += FIRST_PAUSE_S
    assert cool_down.allows()


def test_a_success_ends_it() -> None:
    clock = Clock()
    cool_down = failing(clock)
    clock.now_s += FIRST_PAUSE_S
    assert cool_down.allows()
    cool_down.succeeded()
    assert all(cool_down.allows() for _ in range(10))
    cool_down.failed()
    assert cool_down.allows()


def test_one_that_tries_and_is_never_heard_of_ends_no_attempts() -> None:
    clock = Clock()
    cool_down = failing(clock)
    for _ in range(5):
        clock.now_s += LONGEST_PAUSE_S
        assert cool_down.allows()
