"""In which lane a call waits for engines: its key's or its tenant's, or one that it asks for."""

from __future__ import annotations

from collections.abc import Iterable

from api.errors import InvalidRequest
from api.tenants.types import Lane

HEADER = "X-Priority"
TIER_FIELD = "service_tier"
_HEADER = HEADER.lower().encode()
_LANES = {lane.value.encode(): lane for lane in Lane}
# OpenAI's name for what is cheaper because it may wait.
_WAITING_TIER = "flex"


def chosen_lane(own: Lane, headers: Iterable[tuple[bytes, bytes]], service_tier: object) -> Lane:
    """`own`: of the caller, who may step back into the batch lane, but not out of it.

    The header, which is this gateway's own word, comes before the field, which is OpenAI's.
    `headers`: names in lower case. Raises InvalidRequest.
    """
    asked = _priority_header(headers)
    if asked is None and service_tier == _WAITING_TIER:
        asked = Lane.BATCH
    return Lane.BATCH if asked is Lane.BATCH else own


def _priority_header(headers: Iterable[tuple[bytes, bytes]]) -> Lane | None:
    found: Lane | None = None
    for name, value in headers:
        if name == _HEADER:
            lane = _LANES.get(value.strip().lower())
            if lane is None:
                text = f"{HEADER} must be one of {', '.join(lane.value for lane in Lane)}."
                raise InvalidRequest(text, param=HEADER, code="invalid_header")
            if found not in (None, lane):
                text = f"The {HEADER} header was sent more than once, with different values."
                raise InvalidRequest(text, param=HEADER, code="duplicate_header")
            found = lane
    return found
