from __future__ import annotations

import pytest

from api.errors import InvalidRequest
from api.middleware.headers import single_header

SCOPE = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"b", b"2"), (b"c", b"\xe9")]}


def test_a_header_that_came_once_or_not_at_all() -> None:
    assert single_header(SCOPE, b"a") == "1"
    assert single_header(SCOPE, b"c") == "é"
    assert single_header(SCOPE, b"d") is None


def test_a_header_that_came_twice_is_refused_even_with_one_value() -> None:
    with pytest.raises(InvalidRequest) as refused:
        single_header(SCOPE, b"b")
    assert (refused.value.param, refused.value.code) == ("B", "duplicate_header")
