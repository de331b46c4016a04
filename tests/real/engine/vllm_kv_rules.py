"""Run by vLLM's own interpreter: what vLLM says of the KV cache of models described on standard input, as JSON.

In: a list of {"dtype", "head_size", "kv_heads", "latent", "full", "sliding", "window", "block_size", "in_flight",
"tokens"}. Out: for each the layers of every group, the bytes of a block and the blocks of a sequence.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from vllm.v1.core.kv_cache_utils import _get_kv_cache_groups_uniform_page_size, _get_kv_cache_groups_uniform_spec
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheSpec, MLAAttentionSpec, SlidingWindowSpec


def described(model: dict[str, Any]) -> dict[str, Any]:
    size: dict[str, Any] = {
        "block_size": model["block_size"],
        "num_kv_heads": model["kv_heads"],
        "head_size": model["head_size"],
        "dtype": getattr(torch, model["dtype"]),
    }
    full = MLAAttentionSpec(**size) if model["latent"] else FullAttentionSpec(**size)
    layers: dict[str, KVCacheSpec] = {f"full.{number}": full for number in range(model["full"])}
    if model["sliding"]:
        windowed = SlidingWindowSpec(**size, sliding_window=model["window"])
        layers |= {f"sliding.{number}": windowed for number in range(model["sliding"])}
    alike = not (model["full"] and model["sliding"])
    groups = (_get_kv_cache_groups_uniform_spec if alike else _get_kv_cache_groups_uniform_page_size)(layers)
    return {
        "groups": sorted(len(group.layer_names) for group in groups),
        "bytes_per_block": max(len(group.layer_names) * group.kv_cache_spec.page_size_bytes for group in groups),
        "blocks": sum(blocks_of(group.kv_cache_spec, model) for group in groups),
    }


def blocks_of(spec: KVCacheSpec, model: dict[str, Any]) -> int:
    if isinstance(spec, SlidingWindowSpec):
        return int(spec.max_admission_blocks_per_request(model["in_flight"], model["tokens"]))
    return -(-int(model["tokens"]) // int(spec.block_size))


if __name__ == "__main__":
    json.dump([described(model) for model in json.load(sys.stdin)], sys.stdout)
