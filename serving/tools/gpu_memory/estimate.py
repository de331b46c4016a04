"""Puts weights, KV cache and overhead together, and holds them against GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.tools.command_line import InputError
from serving.tools.gpu_memory.checkpoint import Checkpoint
from serving.tools.gpu_memory.gpus import Gpu
from serving.tools.gpu_memory.kv_cache import KvLayout, kv_layout
from serving.tools.gpu_memory.model_shape import ModelShape
from serving.tools.gpu_memory.numbers import Dtype, KvDtype
from serving.tools.gpu_memory.overhead import Overhead, estimate_overhead
from serving.tools.gpu_memory.quantization import Method
from serving.tools.gpu_memory.weights import LLAMA_LIKE, weight_bytes

FROM_CONFIG = "the shapes that config.json implies"
_GPU_COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How the model is going to be served; the names are those of vLLM's arguments."""

    dtype: Dtype
    dtype_is_fixed: bool = False
    """Else a GPU without bfloat16 computes in float16, as vLLM has it."""
    kv_dtype: KvDtype = KvDtype.AUTO
    block_size: int = 16
    gpu_memory_utilization: float = 0.85
    max_batched_tokens: int = 2048
    max_sequences: int = 256
    context_tokens: int = 8192
    sequences: int = 1
    """How many of `context_tokens` have to fit at once."""
    cuda_graphs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the model takes on each of `tensor_parallel` GPUs, whatever they are."""

    tensor_parallel: int
    weight_bytes: int
    weight_source: str
    kv: KvLayout
    overhead: Overhead
    blocks_per_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The same, on GPUs of one kind. `problem`: why it does not work; None when it does."""

    gpu: Gpu
    demand: Demand
    kv_bytes: int
    blocks: int
    sequences: int
    tokens: int
    """That the KV cache holds, of sequences of the workload's length."""
    problem: str | None = None
    remark: str = ""

    @property
    def fits(self) -> bool:
        return self.problem is None


def demand_of(
    shape: ModelShape, workload: Workload, *, checkpoint: Checkpoint | None = None, tensor_parallel: int = 1
) -> Demand:
    """Raises InputError where the model cannot be split so, or nothing says how large its weights are."""
    if shape.heads % tensor_parallel:
        raise InputError(
            f"--tensor-parallel-size {tensor_parallel} does not divide the model's {shape.heads} attention heads."
        )
    weights, source = _weights(shape, workload.dtype, checkpoint, tensor_parallel)
    kv = kv_layout(
        shape,
        dtype=workload.dtype,
        kv_dtype=workload.kv_dtype,
        block_size=workload.block_size,
        tensor_parallel=tensor_parallel,
    )
    return Demand(
        tensor_parallel=tensor_parallel,
        weight_bytes=weights,
        weight_source=source,
        kv=kv,
        overhead=estimate_overhead(
            shape,
            dtype=workload.dtype,
            max_batched_tokens=workload.max_batched_tokens,
            max_sequences=workload.max_sequences,
            tensor_parallel=tensor_parallel,
            cuda_graphs=workload.cuda_graphs,
        ),
        blocks_per_sequence=kv.blocks_for(workload.context_tokens, max_batched_tokens=workload.max_batched_tokens),
    )


def _weights(shape: ModelShape, dtype: Dtype, checkpoint: Checkpoint | None, tensor_parallel: int) -> tuple[int, str]:
    if checkpoint is None:
        return weight_bytes(shape, dtype, tensor_parallel=tensor_parallel), FROM_CONFIG
    quantized = shape.quantization.method is not Method.NONE
    whole = checkpoint.bytes_as(dtype, stored=shape.dtype, quantized=quantized)
    if tensor_parallel == 1:
        return whole, checkpoint.source
    if shape.family not in LLAMA_LIKE or shape.quantization.method is Method.OTHER:
        return -(-whole // tensor_parallel), checkpoint.source
    # What the GPUs have copies of is known from the shapes.
    share = weight_bytes(shape, dtype, tensor_parallel=tensor_parallel) / weight_bytes(shape, dtype)
    return int(whole * share), checkpoint.source


def place(demand: Demand, gpu: Gpu, shape: ModelShape, workload: Workload) -> Placement:
    budget = int(gpu.memory_bytes * workload.gpu_memory_utilization)
    kv_bytes = max(0, budget - demand.weight_bytes - demand.overhead.total)
    blocks = kv_bytes // demand.kv.bytes_per_block
    sequences = blocks // demand.blocks_per_sequence
    return Placement(
        gpu=gpu,
        demand=demand,
        kv_bytes=kv_bytes,
        blocks=blocks,
        sequences=sequences,
        tokens=sequences * workload.context_tokens,
        problem=_problem(demand, gpu, workload, budget=budget, sequences=sequences),
        remark=_remark(gpu, shape, workload),
    )


def _problem(demand: Demand, gpu: Gpu, workload: Workload, *, budget: int, sequences: int) -> str | None:
    if workload.dtype_is_fixed and workload.dtype is Dtype.BFLOAT16 and not gpu.has_bfloat16:
        return "has no bfloat16: take --dtype float16"
    if demand.weight_bytes + demand.overhead.total >= budget:
        return "the weights leave no room"
    if sequences == 0:
        return f"not one sequence of {workload.context_tokens} tokens"
    if sequences < workload.sequences:
        return f"not {workload.sequences} sequences"
    return None


def _remark(gpu: Gpu, shape: ModelShape, workload: Workload) -> str:
    if workload.dtype is Dtype.BFLOAT16 and not gpu.has_bfloat16:
        return "computes in float16"
    if shape.quantization.method is Method.FP8 and not gpu.has_fp8:
        return "fp8 saves memory here, not time"
    return ""


def recommend(
    shape: ModelShape,
    workload: Workload,
    gpus: Sequence[Gpu],
    *,
    checkpoint: Checkpoint | None,
    tensor_parallel: int | None,
) -> Placement | None:
    """The least memory in all that fits, and of equals the fewest GPUs; None if nothing does.

    `tensor_parallel`: None tries 1, 2, 4 and 8 GPUs, as far as they divide the model's heads.
    """
    counts = [tensor_parallel] if tensor_parallel else [n for n in _GPU_COUNTS if shape.heads % n == 0]
    fitting = [
        placement
        for count in counts
        for demand in [demand_of(shape, workload, checkpoint=checkpoint, tensor_parallel=count)]
        for gpu in gpus
        if (placement := place(demand, gpu, shape, workload)).fits
    ]
    return min(
        fitting,
        key=lambda found: (found.gpu.memory_gib * found.demand.tensor_parallel, found.demand.tensor_parallel),
        default=None,
    )
