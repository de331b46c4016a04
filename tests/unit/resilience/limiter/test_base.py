from __future__ import annotations

import pytest

from resilience.limiter.base import Quota


@pytest.mark.parametrize(("requests", "tokens"), [(0, 1), (1, 0), (-5, 100)])
def test_a_quota_of_nothing_is_refused(requests: int, tokens: int) -> None:
    with pytest.raises(ValueError, match=f"not {requests} and {tokens}"):
        Quota(requests, tokens)
