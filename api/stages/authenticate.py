"""The bearer token of a request."""

from __future__ import annotations

from api.errors import BEARER_CHALLENGE, Unauthenticated

_SCHEME = "bearer "


def bearer_token(authorization: str | None) -> str | None:
    """The token in an `Authorization` header. Raises Unauthenticated for any other scheme."""
    if authorization is None:
        return None
    if not authorization.lower().startswith(_SCHEME):
        raise Unauthenticated(
            "The Authorization header must be 'Bearer YOUR_KEY'.", param="Authorization", headers=BEARER_CHALLENGE
        )
    return authorization[len(_SCHEME) :].strip()
