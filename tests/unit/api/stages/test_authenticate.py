from __future__ import annotations

import pytest

from api.errors import Unauthenticated
from api.stages.authenticate import bearer_token


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("Bearer k-1", "k-1"),
        ("bearer k-1", "k-1"),
        ("BEARER   k-1 ", "k-1"),
        ("Bearer ", ""),
        ("Bearer two words", "two words"),
    ],
)
def test_the_token_of_a_bearer_header(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token


@pytest.mark.parametrize("header", ["", "k-1", "Basic azox", "Bearer", "Bearerk-1"])
def test_any_other_scheme_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        bearer_token(header)
    assert refused.value.param == "Authorization"
    assert (b"www-authenticate", b"Bearer") in refused.value.headers
