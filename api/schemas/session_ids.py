"""Which session a request names, and ids that nobody guesses."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from api.errors import InvalidRequest

HEADER = "X-Session-Id"
FIELD = "session_id"
NEW = "new"
"""In the place of an id: begin a session and say its id."""
_HEADER = HEADER.lower().encode()
_ID = re.compile(r"[A-Za-z0-9._:-]{16,128}")
_ID_BYTES = 16


def new_session_id() -> str:
    """With 128 random bits."""
    return f"sess_{secrets.token_hex(_ID_BYTES)}"


def is_session_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def named_session(headers: Iterable[tuple[bytes, bytes]], in_body: str | None) -> str | None:
    """The id in the request's header or body, a fresh one where it asks for one; None without either.

    `headers`: names in lower case. Raises InvalidRequest.
    """
    in_header = session_header(headers)
    if in_header is not None and in_body is not None and in_header != in_body:
        text = f"{FIELD} and the {HEADER} header name two sessions: send one of them, or the same in both."
        raise InvalidRequest(text, param=FIELD, code="invalid_value")
    named = in_header if in_body is None else in_body
    if named is None or is_session_id(named):
        return named
    if named == NEW:
        return new_session_id()
    raise InvalidRequest(
        "A session id has 16 to 128 letters, digits or any of . _ : -, for shorter ones can be guessed. "
        f"Send {HEADER}: {NEW} to be given one.",
        param=HEADER if in_body is None else FIELD,
        code="invalid_value",
    )


def session_header(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Raises InvalidRequest where it was sent more than once, with different values."""
    values = {value.strip() for name, value in headers if name == _HEADER}
    if len(values) > 1:
        text = f"The {HEADER} header was sent more than once, with different values."
        raise InvalidRequest(text, param=HEADER, code="duplicate_header")
    return values.pop().decode("latin-1") if values else None
