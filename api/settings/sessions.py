"""The settings of conversations that the platform remembers."""

from __future__ import annotations

from pydantic import SecretStr

from api.settings.groups import Group, Positive, Seconds


class SessionSettings(Group):
    """Sessions"""

    sessions_enabled: bool = True
    """Remember conversations of calls that name a session; off: such calls are answered without, and told so."""
    session_ttl_s: Seconds = 3600.0
    """Seconds a session is kept after its last use."""
    session_max_turns: Positive = 20
    """Turns kept of a session, from a user's words to the final answer; the oldest make room."""
    session_max_bytes: Positive = 1_000_000
    """Bytes kept of a session, before compression; the oldest turns make room."""
    session_context_tokens: Positive = 4096
    """Tokens a prompt may have with what was said before; fewer where the model's context has no room."""
    session_timeout_s: Seconds = 0.1
    """Seconds Redis may take before a call goes on without its session."""
    session_secret: SecretStr = SecretStr("")
    """Key of the digests that sessions are stored under, the same for all gateways; empty: a fixed one."""
