"""The answer cache, measured over HTTP: right and wrong hits, latency by tier, memory, and what no load may break.

See docs/reference/bench-semantic-cache.md.
"""
