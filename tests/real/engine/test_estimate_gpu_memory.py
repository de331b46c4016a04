"""The estimate of the KV cache, held to what vLLM does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.tools.gpu_memory.kv_cache import kv_layout
from serving.tools.gpu_memory.numbers import KvDtype
from serving.tools.gpu_memory.sources import read_model, shipped_names
from tests.integration.serving.tools.command import run_tool
from tests.real.engine.vllm_process import ENGINE_PYTHON, ROOT, vllm_server

pytestmark = pytest.mark.real

BATCHED_TOKENS = 2048
BLOCK_SIZE = 32
BLOCKS = 9000


def bytes_per_block(model: Path, folder: Path) -> int:
    finished = run_tool(
        "estimate_gpu_memory", str(model), "--dtype", "float32", "--block-size", str(BLOCK_SIZE), folder=folder
    )
    return int(finished.document["kv_bytes_per_block"])


def test_a_running_vllm_makes_as_many_blocks_as_were_foretold(tiny_model: Path, tmp_path: Path) -> None:
    """One byte short of a block more: were a block larger or smaller by a byte or two, there would be more or fewer."""
    size = bytes_per_block(tiny_model, tmp_path)
    memory = (BLOCKS + 1) * size - 1
    with vllm_server(tiny_model, tmp_path, kv_cache_memory_bytes=memory, block_size=BLOCK_SIZE) as url:
        metrics = httpx.get(f"{url}/metrics", timeout=30).text
    (labels,) = re.findall(r"^vllm:cache_config_info\{(.*)\} 1\.0$", metrics, re.MULTILINE)
    said = dict(re.findall(r'(\w+)="([^"]*)"', labels))
    assert (said["num_gpu_blocks"], said["block_size"]) == (str(BLOCKS), str(BLOCK_SIZE))
    assert said["kv_cache_size_tokens"] == str(BLOCKS * BLOCK_SIZE)


def test_the_rules_are_those_of_vllm_for_every_shipped_model() -> None:
    """Grouped-query, latent and sliding attention, in one kind of layers and in two."""
    cases = [(name, tokens) for name in shipped_names() for tokens in (100, 8192, 32_768)]
    given = [vllm_description(name, tokens) for name, tokens in cases]
    done = subprocess.run(
        [ENGINE_PYTHON, "-m", "tests.real.engine.vllm_kv_rules"],
        cwd=ROOT, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for (name, tokens), said in zip(cases, json.loads(done.stdout.splitlines()[-1]), strict=True):
        shape = read_model(name).shape
        kv = kv_layout(shape, dtype=shape.dtype, kv_dtype=KvDtype.AUTO, block_size=16)
        ours = {
            "groups": [kv.group_layers] * (kv.full_groups + kv.sliding_groups),
            "bytes_per_block": kv.bytes_per_block,
            "blocks": kv.blocks_for(tokens, max_batched_tokens=BATCHED_TOKENS),
        }
        assert ours == said, name


def vllm_description(name: str, tokens: int) -> dict[str, Any]:
    shape = read_model(name).shape
    latent = shape.latent
    return {
        "dtype": shape.dtype.value,
        "head_size": latent.kv_rank + latent.rotary_head_dim if latent else shape.head_dim,
        "kv_heads": 1 if latent else shape.kv_heads,
        "latent": latent is not None,
        "full": shape.full_layers,
        "sliding": shape.layers - shape.full_layers,
        "window": shape.sliding.tokens if shape.sliding else None,
        "block_size": 16,
        "in_flight": 2 * BATCHED_TOKENS,
        "tokens": tokens,
    }
