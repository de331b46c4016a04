"""What a body is said to be, judged before it is read."""

from __future__ import annotations

from starlette.types import Scope

from api.errors import UnsupportedMediaType
from api.middleware.headers import single_header

JSON = "application/json"


def check_content_type(scope: Scope, *allowed: str) -> str:
    """Which of `allowed` it is; a body of which nothing is said is of the first. Raises UnsupportedMediaType."""
    said = (single_header(scope, b"content-type") or "").partition(";")[0].strip().lower() or allowed[0]
    if said not in allowed:
        raise UnsupportedMediaType(f"the body must be {' or '.join(allowed)}", param="Content-Type")
    if single_header(scope, b"content-encoding") not in (None, "identity"):
        raise UnsupportedMediaType("a compressed body is not accepted", param="Content-Encoding")
    return said
