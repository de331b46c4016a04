"""The pure part of the simulator: what a vLLM V1 engine would do, step by step, with the time handed in."""
