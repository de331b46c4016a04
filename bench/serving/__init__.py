"""What serving costs around the engine: the hop through Ray, the whole chain, and a spike of users.

Run `python -m bench.serving`; see docs/reference/bench-serving.md.
"""
