"""What the gateway costs: requests/s, added latency and memory against peers on one instant upstream.

Run `python -m bench.overhead`; see docs/reference/bench-overhead.md.
"""
