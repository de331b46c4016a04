"""Configurations that are known to be good, and why each figure is what it is. Fields are those of VllmConfig.

A step's token budget decides how long a running stream may wait while prompts are computed, so each GPU gets the
tokens that it computes in about a quarter of a second: a token of Mistral-7B costs 14.5 GFLOP, and prefill reaches
about half of a GPU's dense bfloat16 peak (docs/adr/009-step-token-budget.md). Half the budget for one long prompt
leaves the other half to the short ones behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MISTRAL_7B: Mapping[str, Any] = {
    "model": "mistralai/Mistral-7B-Instruct-v0.3",
    "served_model_names": ("mistral-7b",),
    "dtype": "bfloat16",  # what the weights are stored in
    "max_model_len": 8192,  # of 32,768 that it could: a prompt's KV cache is 1 GiB then: three fit on an A10G
    "max_output_tokens": 2048,  # a minute of one stream
    "block_size": 16,  # the shortest that attention kernels take, so the most of a shared prefix is found again
    "enable_prefix_caching": True,
    "tool_call_parser": "mistral",
    "watermark": 0.01,  # a few blocks to grow into, so that admitting a request does not preempt another at once
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # CUDA shows 22.0 GiB; 125 TFLOP/s. Weights are 13.5 GiB, about 3.9 GiB are left for 32,000 tokens of KV cache:
    # what serving/tools/estimate_gpu_memory.py comes to, as for the others.
    "mistral-7b-a10g": {
        **_MISTRAL_7B,
        "gpu_memory_utilization": 0.85,  # 3.3 GiB stay for what vLLM does not count, and other processes
        "max_num_seqs": 256,  # 125 tokens each; what does not fit waits
        "max_num_batched_tokens": 1024,
        "long_prefill_token_threshold": 512,
    },
    # 80 GB, 312 TFLOP/s: 56 GiB of KV cache, or 460,000 tokens.
    "mistral-7b-a100": {
        **_MISTRAL_7B,
        "gpu_memory_utilization": 0.90,  # the rest is twice what it is on an A10G
        "max_num_seqs": 256,  # 1,800 tokens each
        "max_num_batched_tokens": 2048,
        "long_prefill_token_threshold": 1024,
    },
    # 80 GB, 990 TFLOP/s: as much memory as an A100, three times as fast. Larger steps leave 55 GiB.
    "mistral-7b-h100": {
        **_MISTRAL_7B,
        "gpu_memory_utilization": 0.90,
        "max_num_seqs": 512,  # 900 tokens each: steps are short enough for more streams
        "max_num_batched_tokens": 8192,
        "long_prefill_token_threshold": 4096,
    },
    # The model of serving/tools/tiny_model.py on any machine, for development and tests.
    "cpu-tiny": {
        "model": ".data/models/tiny-mistral",
        "served_model_names": ("tiny-mistral",),
        "dtype": "float32",  # every CPU computes it, and an answer does not depend on what else is in the batch
        "max_model_len": 8192,
        "max_output_tokens": 2048,
        "block_size": 32,  # the CPU kernels' unit
        "kv_cache_memory_bytes": 256 * 2**20,  # with no size given vLLM would take most of the machine's memory
        "max_num_seqs": 64,  # a step of more streams than that takes longer than anyone tests for
        "max_num_batched_tokens": 2048,
        "long_prefill_token_threshold": 1024,
        "tool_call_parser": "hermes",
        "tool_strict_level": "parameter",  # random weights would not keep to a schema of their own accord
        "disable_any_whitespace": True,  # nor stop adding blanks
        "enforce_eager": True,  # compiling takes longer than most tests
        "cpu_threads": 1,  # the model is too small to share out, and other processes need the other cores
    },
}
