"""Which session a request names."""

from __future__ import annotations

import pytest

from api.errors import InvalidRequest
from api.schemas.session_ids import is_session_id, named_session, new_session_id

ID = "customer:7_a.b-c:2024"


def header(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), *((b"x-session-id", value) for value in values)]


@pytest.mark.parametrize(
    ("values", "in_body"),
    [
        ([ID.encode()], None),
        ([], ID),
        ([ID.encode()], ID),
        ([b" " + ID.encode() + b" "], None),
        ([ID.encode()] * 2, None),
    ],
)
def test_in_the_header_or_in_the_body(values: list[bytes], in_body: str | None) -> None:
    assert named_session(header(*values), in_body) == ID


def test_none_is_none() -> None:
    assert named_session(header(), None) is None


def test_a_new_one_is_asked_for_by_name() -> None:
    first, second = named_session(header(b"new"), None), named_session(header(), "new")
    assert first is not None
    assert second is not None
    assert first != second
    assert is_session_id(first)
    assert len(first.removeprefix("sess_")) * 4 >= 128
    assert len({new_session_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text", ["", "x" * 15, "x" * 129, "x" * 20 + "\n", "x" * 20 + "/", "é" * 20, "x y" * 10, "news" * 3, "New"]
)
def test_what_is_none_is_refused_and_named(text: str) -> None:
    for values, in_body, param in (
        ([text.encode("latin-1")], None, "X-Session-Id"),
        ([], text, "session_id"),
    ):
        if param == "X-Session-Id" and text != text.strip():
            continue  # a header has no spaces around it
        with pytest.raises(InvalidRequest) as refused:
            named_session(header(*values), in_body)
        assert (refused.value.param, refused.value.code) == (param, "invalid_value")
        assert "guessed" in refused.value.message


@pytest.mark.parametrize("in_body", [ID[:-1], "new"])
def test_two_that_differ_are_refused(in_body: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        named_session(header(ID.encode()), in_body)
    assert refused.value.param == "session_id"
    with pytest.raises(InvalidRequest) as refused:
        named_session(header(ID.encode(), b"x" * 20), None)
    assert (refused.value.param, refused.value.code) == ("X-Session-Id", "duplicate_header")
