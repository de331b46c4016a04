"""How long a step takes: a roofline for Mistral-7B-Instruct in bfloat16 on one NVIDIA A10G (AWS g5.xlarge).

Where the defaults come from:

- Weights: 7.25e9 parameters x 2 bytes = 14.5 GB. Every step reads them all once: 14.5 GB / 600 GB/s (the A10G's memory
  bandwidth) = 24 ms. This is why one more sequence in a batch is nearly free.
- Compute: 2 FLOP per parameter and token = 14.5 GFLOP. Half of the A10's 125 TFLOP/s dense bfloat16 peak is reached,
  62.5 TFLOP/s (90 % of the 70 TFLOP/s on the A10G's own sheet, so on the fast side): 0.23 ms a token, about 4,300
  prompt tokens a second.
- KV cache: 32 layers x 8 KV heads x 128 values x 2 (key, value) x 2 bytes = 128 KiB a token; reading it takes 0.22 us.
- Memory: 22.5 GiB x 0.85 (`gpu_memory_utilization`) - 13.5 GiB weights - 0.6 GiB
  activations and graphs = 5.0 GiB / 2 MiB a block of 16 tokens = 2,560 blocks = 40,960 tokens. Generous: CUDA shows
  22.0 GiB, and with its own context about 3.9 GiB stay (serving/tools/estimate_gpu_memory.py).
- Overhead: 2 ms a step for scheduling, launching and sampling, and 20 us for each sequence in it. An estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT_BYTES = 14.5e9
MEMORY_BYTES_PER_S = 600e9
FLOP_PER_TOKEN = 14.5e9
FLOP_PER_S = 62.5e12
KV_BYTES_PER_TOKEN = 32 * 8 * 128 * 2 * 2
KV_CACHE_BYTES = 5.0 * 1024**3
BLOCK_SIZE = 16
NUM_GPU_BLOCKS = int(KV_CACHE_BYTES // (BLOCK_SIZE * KV_BYTES_PER_TOKEN))


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """All in seconds."""

    weight_read_s: float = WEIGHT_BYTES / MEMORY_BYTES_PER_S
    compute_s_per_token: float = FLOP_PER_TOKEN / FLOP_PER_S
    kv_read_s_per_token: float = KV_BYTES_PER_TOKEN / MEMORY_BYTES_PER_S
    overhead_s: float = 0.002
    overhead_s_per_sequence: float = 20e-6

    def step_s(self, *, new_tokens: int, context_tokens: int, sequences: int) -> float:
        """Seconds for a step that computes `new_tokens` and attends to `context_tokens` earlier ones."""
        return (
            max(self.weight_read_s, new_tokens * self.compute_s_per_token)
            + context_tokens * self.kv_read_s_per_token
            + self.overhead_s
            + sequences * self.overhead_s_per_sequence
        )
