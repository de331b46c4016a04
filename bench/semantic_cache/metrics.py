"""What the gateway's own metrics say about its cache. Pure."""

from __future__ import annotations

import re

LOOK_UPS = "gateway_cache_lookup_seconds", "status"
PARTS = "gateway_cache_part_seconds", "part"
"""Histograms, and the label by which their figures are told apart."""


def errors(exposition: str) -> dict[str, int]:
    """How often each part of the cache could not do its part; those that always could are left out."""
    found = re.findall(r'^gateway_cache_errors_total\{part="(\w+)"\} (\S+)$', exposition, re.MULTILINE)
    return {part: int(float(count)) for part, count in found if float(count)}
