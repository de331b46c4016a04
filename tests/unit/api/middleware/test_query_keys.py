"""API keys in URLs."""

from __future__ import annotations

from contextlib import suppress

import pytest

from api.errors import KeyInQuery
from api.middleware.query_keys import QueryKeys


def ask(path: str, query: str) -> list[Exception]:
    """What was reported."""
    refused: list[Exception] = []
    with suppress(KeyInQuery):
        QueryKeys(lambda _, error: refused.append(error)).check({"path": path, "query_string": query.encode()})
        assert refused == [], "what is reported is refused, too"
    return refused


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/unknown", "/admin/v1/usage"])
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("api_key=x", "api_key"),
        ("api-key=x", "api-key"),
        ("apiKey=x", "apiKey"),
        ("API_KEY=", "API_KEY"),
        ("api%5Fkey=x", "api_key"),
        ("token=x", "token"),
        ("access_token=x", "access_token"),
        ("authorization=Basic+x", "authorization"),
        ("a=b&x-api-key=x", "x-api-key"),
        ("key=sk-abc", "key"),
        ("whatever=%73k-abc", "whatever"),
        ("x=Bearer+abc", "x"),
        ("sk-abc", "query"),
        ("sk-abc=1", "query"),
        ("%C3%A9%0A=sk-abc", "query"),
    ],
)
def test_a_key_is_refused_by_its_name_or_its_looks(path: str, query: str, param: str) -> None:
    [error] = ask(path, query)
    assert isinstance(error, KeyInQuery)
    assert (error.status, error.code, error.param) == (400, "key_in_query", param)
    assert "abc" not in str(error.body())


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/chat/completions", "api-version=2024-10-21&tokens=5&monkey=1&broken=%"),
        ("/v1/models", "&&="),
        ("/admin/v1/usage", "group_by=key&key=key_0123&tokenizer=x"),
        ("/readyz", "token=x"),
    ],
)
def test_what_is_no_key_passes(path: str, query: str) -> None:
    assert ask(path, query) == []


def test_the_api_has_no_parameter_that_is_called_key() -> None:
    assert len(ask("/v1/models", "key=dev-key")) == 1
