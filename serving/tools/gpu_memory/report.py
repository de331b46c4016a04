"""The estimate as text and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serving.tools.gpu_memory.estimate import Demand, Placement, Workload
from serving.tools.gpu_memory.model_shape import ModelShape
from serving.tools.gpu_memory.numbers import GIB, KvDtype
from serving.tools.text_table import text_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    shape: ModelShape
    workload: Workload
    demand: Demand
    placements: Sequence[Placement]
    recommended: Placement | None


def text_of(estimate: Estimate) -> str:
    workload, demand = estimate.workload, estimate.demand
    parts = [
        _title(estimate),
        text_table(["what one GPU holds", "GiB", ""], _demand_rows(estimate)),
        _kv_text(demand, workload),
        text_table(
            ["GPU", "GiB", "KV cache GiB", "KV blocks", f"sequences of {workload.context_tokens}", ""],
            [_placement_row(placement) for placement in estimate.placements],
        ),
        _recommendation(estimate),
    ]
    notes = [f"Note: {note}" for note in (*estimate.shape.notes, *_context_notes(estimate))]
    return "\n\n".join(parts + (["\n".join(notes)] if notes else []))


def _title(estimate: Estimate) -> str:
    shape, workload, demand = estimate.shape, estimate.workload, estimate.demand
    quantization = f", quantization {shape.quantization}" if str(shape.quantization) != "none" else ""
    kv = f", KV cache {workload.kv_dtype.value}" if workload.kv_dtype is not KvDtype.AUTO else ""
    gpus = f", on {demand.tensor_parallel} GPUs each" if demand.tensor_parallel > 1 else ""
    return (
        f"{shape.name}: {shape.layers} layers, {shape.heads} heads, {shape.kv_heads} KV heads of {shape.head_dim}; "
        f"{workload.dtype.value}{quantization}{kv}{gpus}; gpu_memory_utilization {workload.gpu_memory_utilization:g}"
    )


def _demand_rows(estimate: Estimate) -> list[list[str]]:
    demand, workload = estimate.demand, estimate.workload
    overhead = demand.overhead
    return [
        ["weights", _gib(demand.weight_bytes), f"from {demand.weight_source}"],
        ["activations", _gib(overhead.activations), f"estimate, {workload.max_batched_tokens} tokens in a step"],
        ["CUDA graphs", _gib(overhead.cuda_graphs), "estimate" if workload.cuda_graphs else "none: --enforce-eager"],
        ["CUDA context", _gib(overhead.cuda_context), "estimate"],
    ]


def _kv_text(demand: Demand, workload: Workload) -> str:
    kv = demand.kv
    window = f"; layers with a window keep {kv.window_tokens} tokens" if kv.sliding_groups else ""
    return (
        f"KV cache: {_binary(kv.bytes_per_token)} per token, blocks of {kv.block_size} tokens in "
        f"{_binary(kv.bytes_per_block)}; a sequence of {workload.context_tokens} tokens takes "
        f"{demand.blocks_per_sequence} blocks, {_gib(demand.blocks_per_sequence * kv.bytes_per_block)} GiB{window}"
    )


def _placement_row(placement: Placement) -> list[str]:
    verdict = "; ".join(filter(None, ["fits", placement.remark])) if placement.fits else f"no: {placement.problem}"
    return [
        placement.gpu.name,
        f"{placement.gpu.memory_gib:.1f}",
        _gib(placement.kv_bytes),
        str(placement.blocks),
        str(placement.sequences),
        verdict,
    ]


def _recommendation(estimate: Estimate) -> str:
    workload, found = estimate.workload, estimate.recommended
    what = f"{workload.sequences} x {workload.context_tokens} tokens"
    if found is None:
        return f"None of these GPUs holds the model and {what}."
    count = found.demand.tensor_parallel
    gpus = found.gpu.name if count == 1 else f"{count} x {found.gpu.name} (--tensor-parallel-size {count})"
    return f"Smallest that holds the model and {what}: {gpus}, with room for {found.sequences} such sequences."


def _context_notes(estimate: Estimate) -> list[str]:
    longest = estimate.shape.max_positions
    if longest is None or estimate.workload.context_tokens <= longest:
        return []
    return [f"The model was made for at most {longest} tokens; {estimate.workload.context_tokens} were asked for."]


def document_of(estimate: Estimate) -> dict[str, Any]:
    """Sizes in bytes, on one GPU."""
    return {
        "model": _plain(estimate.shape),
        "workload": _plain(estimate.workload),
        **_demand_document(estimate.demand),
        "gpus": [_placement_document(placement) for placement in estimate.placements],
        "recommended": None if estimate.recommended is None else _placement_document(estimate.recommended),
    }


def _demand_document(demand: Demand) -> dict[str, Any]:
    return {
        "tensor_parallel_size": demand.tensor_parallel,
        "weight_bytes": demand.weight_bytes,
        "weight_source": demand.weight_source,
        "estimated_overhead_bytes": {**_plain(demand.overhead), "total": demand.overhead.total},
        "kv_bytes_per_token": demand.kv.bytes_per_token,
        "kv_bytes_per_block": demand.kv.bytes_per_block,
        "kv_blocks_per_sequence": demand.blocks_per_sequence,
    }


def _placement_document(placement: Placement) -> dict[str, Any]:
    return {
        "gpu": placement.gpu.name,
        "memory_bytes": placement.gpu.memory_bytes,
        "tensor_parallel_size": placement.demand.tensor_parallel,
        "kv_cache_bytes": placement.kv_bytes,
        "kv_blocks": placement.blocks,
        "sequences": placement.sequences,
        "tokens": placement.tokens,
        "fits": placement.fits,
        "problem": placement.problem,
    }


def _plain(value: Any) -> dict[str, Any]:
    return dataclasses.asdict(value)


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"


def _binary(size: int) -> str:
    """`128 KiB`; fractions only where there are some."""
    for unit, name in ((GIB, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} B"
