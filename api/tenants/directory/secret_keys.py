"""API keys: how they are made, and under which digest they are known."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

# Where KEY_HASH_SECRET is empty: digests are then no better than plain ones, and keys made before keep working.
_DEVELOPMENT_SECRET = "a fixed secret for development"  # noqa: S105 - it is public, and says so
_VISIBLE_BYTES = 5
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewKey:
    id: str
    prefix: str
    """What people may see of it."""
    secret: str = field(repr=False)
    digest: bytes = field(repr=False)


class KeyDigests:
    def __init__(self, secret: str) -> None:
        """`secret`: KEY_HASH_SECRET; empty: a fixed one."""
        self._secret = (secret or _DEVELOPMENT_SECRET).encode()

    def of(self, key: str) -> bytes:
        """HMAC-SHA256 of the key: whoever steals the table cannot even try guesses."""
        return hmac.digest(self._secret, key.encode("utf-8", "surrogateescape"), "sha256")

    def seal(self, content: bytes) -> bytes:
        """What proves that `content` was written by somebody with the same secret."""
        return hmac.digest(self._secret, b"directory snapshot\0" + content, "sha256")

    def issue(self) -> NewKey:
        """A new key with 256 random bits."""
        prefix = f"sk-{secrets.token_hex(_VISIBLE_BYTES)}"
        secret = f"{prefix}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        return NewKey(f"key_{secrets.token_hex(8)}", prefix, secret, self.of(secret))
