"""Why there is no embedding model."""

from __future__ import annotations


class BuildError(Exception):
    """One sentence for the person who runs set-up."""
