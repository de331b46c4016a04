"""Request headers that may come once only."""

from __future__ import annotations

from starlette.types import Scope

from api.errors import InvalidRequest


def single_header(scope: Scope, name: bytes) -> str | None:
    """The header's value, `name` in lower case. Raises InvalidRequest when it came more than once.

    Two values would let two servers on the way each believe another one.
    """
    found: bytes | None = None
    for header, value in scope["headers"]:
        if header == name:
            if found is not None:
                shown = name.decode().title()
                raise InvalidRequest(
                    f"The {shown} header was sent more than once.", param=shown, code="duplicate_header"
                )
            found = value
    return None if found is None else found.decode("latin-1")
