"""No API key in a URL, which ends up in histories and in the logs of whatever is on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.types import Scope

from api.errors import KeyInQuery

_API, _ADMIN = "/v1/", "/admin/"
# Names without their signs, in lower case. Reports of the admin API speak of keys by their ids.
_ADMIN_NAMES = frozenset({"apikey", "xapikey", "accesstoken", "authtoken", "authorization", "bearer", "token"})
_NAMES = {_API: _ADMIN_NAMES | {"key"}, _ADMIN: _ADMIN_NAMES}
_SIGNS = str.maketrans("", "", "-_.")
_KEY_STARTS = ("sk-", "bearer ")
_NAME = re.compile(r"[A-Za-z][\w.-]{0,39}", re.ASCII)


class QueryKeys:
    """Refuses them, whether or not anybody has such a key."""

    def __init__(self, on_refusal: Callable[[Scope, KeyInQuery], None]) -> None:
        self._on_refusal = on_refusal

    def check(self, scope: Scope) -> None:
        """Raises KeyInQuery, which has nothing of the key."""
        try:
            _check(scope)
        except KeyInQuery as error:
            self._on_refusal(scope, error)
            raise


def _check(scope: Scope) -> None:
    path: str = scope["path"]
    names = next((names for prefix, names in _NAMES.items() if path.startswith(prefix)), None)
    if names is None:
        return
    for name, value in parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True):
        # `?sk-…` is a name without a value.
        if name.lower().translate(_SIGNS) in names or _is_key(value) or _is_key(name):
            raise KeyInQuery(
                "An API key must not be in the URL, where others can read it: send it as "
                "'Authorization: Bearer YOUR_KEY'. If this one is real, have it revoked.",
                param=name if _NAME.fullmatch(name) and not _is_key(name) else "query",
            )


def _is_key(text: str) -> bool:
    return text.lstrip().lower().startswith(_KEY_STARTS)
