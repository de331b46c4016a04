from __future__ import annotations

from api.cache.scope_sizes import ScopeSizes


def test_a_size_holds_for_a_moment() -> None:
    now_s = [100.0]
    sizes = ScopeSizes(lambda: now_s[0])
    assert sizes.get("t", "s") is None
    sizes.note("t", "s", 7)
    assert (sizes.get("t", "s"), sizes.get("t", "other"), sizes.get("other", "s")) == (7, None, None)
    now_s[0] += 6
    assert sizes.get("t", "s") is None
    sizes.note("t", "s", 8)
    now_s[0] -= 60  # the machine's clock was set back
    assert sizes.get("t", "s") is None


def test_the_scopes_that_were_noted_last_are_remembered() -> None:
    sizes = ScopeSizes(lambda: 0.0)
    for number in range(5000):
        sizes.note("t", str(number), number)
    assert sizes.get("t", "0") is None
    assert sizes.get("t", "4999") == 4999
    assert len(sizes._sizes) == 4096
