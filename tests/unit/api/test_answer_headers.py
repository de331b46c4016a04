"""What an answer says in its headers."""

from __future__ import annotations

import pytest

from api.answer_headers import answer_headers
from api.cache.types import CacheStatus
from api.sessions.types import SessionState
from resilience.limiter.base import Window
from serving.types import WholeReply
from tests.unit.api.fakes import QUOTA, MemoryLimiter, call


async def test_without_a_cache_nothing_is_said_of_one() -> None:
    asked = call()
    assert answer_headers(asked, WholeReply(upstream="fast-1", body={})) == [(b"x-served-by", b"fast-1")]
    asked.limits = await MemoryLimiter().reserve([Window("key", QUOTA)], 10)
    headers = dict(answer_headers(asked, WholeReply(upstream="caf\u00e9\u4e2d", body={})))
    assert headers[b"x-served-by"] == b"caf\xe9?"
    assert headers[b"x-ratelimit-limit-requests"] == b"100"


@pytest.mark.parametrize(("age_s", "said"), [(None, None), (0.0, b"0"), (59.9, b"59"), (86_400.0, b"86400")])
def test_with_one_its_status_and_the_age_of_what_it_had(age_s: float | None, said: bytes | None) -> None:
    asked = call()
    asked.cache_status, asked.cache_age_s = CacheStatus.CANONICAL, age_s
    headers = dict(answer_headers(asked, WholeReply(upstream="cache", body={})))
    assert headers[b"x-cache"] == b"canonical"
    assert headers.get(b"age") == said


@pytest.mark.parametrize("state", SessionState)
def test_of_a_session_its_state_and_its_id(state: SessionState) -> None:
    asked = call()
    asked.session_state, asked.session_id = state, "sess_0123456789"
    headers = dict(answer_headers(asked, WholeReply(upstream="fast-1", body={})))
    assert headers[b"x-session"] == state.value.encode()
    assert headers[b"x-session-id"] == b"sess_0123456789"
