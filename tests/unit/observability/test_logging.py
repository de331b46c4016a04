"""Log lines: valid JSON whatever is logged, and no secrets in them."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observability.context import request_id
from observability.logging import JsonFormatter, TextFormatter, redacted

SECRET = "Zx9-secret_0123456789"


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "test", logging.INFO, __file__, 1, message, args, None, extra=extra or None
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: bearer   {SECRET}",
        f"BEARER {SECRET}, then more",
        f"Bearer {SECRET}",
        f"the key sk-{SECRET} was refused",
        f"sk-{SECRET}",
        f"sk-proj-{SECRET}",
        f"pk-{SECRET}, rk-{SECRET}",
        f'{{"key":"sk-{SECRET}"}}',
        f"redis://user:{SECRET}@host:6379/0",
        f"redis://:{SECRET}@host:6379/0",
        f"cannot reach postgresql://app:{SECRET}@db/prod?sslmode=off",
        f"host=db user=app password={SECRET} dbname=x",
        f"password = '{SECRET}'",
        f"PASSWORD: {SECRET}",
        f"api_key={SECRET}&n=1",
        f"X-Api-Key: {SECRET}",
        f'{{"api_key": "{SECRET}"}}',
        json.dumps({"headers": json.dumps({"authorization": f"Bearer {SECRET}", "api-key": SECRET})}),
    ],
)
def test_secrets_are_redacted_in_every_position(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "[redacted]" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "risk-management-report",
        "http://host:8000/v1/chat",
        "http://host:8000/path?mail=a@b.example",
        "GET /v1/models",
        "the bearer",
        "prompt_tokens=123",
        "desk-organiser-4000",
        "disk-0123456789",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_redacted_text_keeps_what_is_around_the_secret() -> None:
    assert redacted(f"redis://app:{SECRET}@h:1/0 is away") == "redis://app:[redacted]@h:1/0 is away"
    assert redacted(f"said Bearer {SECRET}, twice") == "said Bearer [redacted], twice"


def test_a_secret_is_redacted_in_the_message_the_extra_and_the_traceback() -> None:
    try:
        raise ValueError(f"bad url redis://:{SECRET}@h")
    except ValueError:
        made = logging.getLogger("test").makeRecord(
            "test",
            logging.ERROR,
            __file__,
            1,
            "key %s",
            (f"sk-{SECRET}",),
            sys.exc_info(),
            extra={"a": f"Bearer {SECRET}"},
        )
    for formatter in (JsonFormatter(), TextFormatter()):
        line = formatter.format(made)
        assert SECRET not in line
        assert line.count("[redacted]") >= 3


TEXTS = st.text(alphabet=st.characters(codec=None), max_size=60) | st.lists(
    st.sampled_from(
        [
            "Bearer ",
            "sk-abcdefghij",
            "://u:p",
            "@",
            '"',
            "\\",
            "'",
            ",",
            "password=",
            '"password":',
            'api-key":',
            ":",
            "/",
            "\n",
            "é",
            "\ud800",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=300)
@given(message=TEXTS, extra=TEXTS, request=TEXTS)
@example(message="password=", extra="password=\\", request='password\\"')
@example(message='"password":', extra='api_key="', request="Bearer \\")
def test_every_line_is_one_json_object(message: str, extra: str, request: str) -> None:
    token = request_id.set(request)
    try:
        line = JsonFormatter().format(record("%s", message, field=extra, nested={"mail": [extra]}))
    finally:
        request_id.reset(token)
    assert "\n" not in line
    parsed = json.loads(line)
    assert {"time", "level", "logger", "message", "field", "nested"} <= parsed.keys()
    assert isinstance(parsed["nested"]["mail"], list)


def test_a_json_line_names_the_request_and_what_was_passed_as_extra() -> None:
    token = request_id.set("req-1")
    try:
        parsed = json.loads(JsonFormatter().format(record("served %d", 3, status=200, odd=object)))
    finally:
        request_id.reset(token)
    assert parsed["message"] == "served 3"
    assert parsed["request_id"] == "req-1"
    assert parsed["level"] == "INFO"
    assert parsed["status"] == 200
    assert parsed["odd"] == "<class 'object'>"
    assert "exception" not in parsed


def test_a_line_outside_a_request_has_no_request_id() -> None:
    assert "request_id" not in json.loads(JsonFormatter().format(record("start")))
