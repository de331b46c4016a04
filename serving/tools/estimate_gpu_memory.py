"""`python -m serving.tools.estimate_gpu_memory MODEL`: which GPU holds a model, and how many sequences beside it.

See docs/reference/serving-tools.md for the formulas.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

from serving.tools.command_line import (
    EXIT_FAILED,
    EXIT_OK,
    InputError,
    Parser,
    add_json_option,
    deliver,
    fraction,
    positive_int,
    positive_number,
    refuse_unwritable,
    run,
    say,
)
from serving.tools.gpu_memory.checkpoint import Checkpoint
from serving.tools.gpu_memory.estimate import Workload, demand_of, place, recommend
from serving.tools.gpu_memory.gpus import BY_NAME, GPUS, Gpu
from serving.tools.gpu_memory.model_shape import ModelShape
from serving.tools.gpu_memory.numbers import Dtype, KvDtype
from serving.tools.gpu_memory.quantization import TYPICAL, Method
from serving.tools.gpu_memory.report import Estimate, document_of, text_of
from serving.tools.gpu_memory.sources import read_model, shipped_names

PROG = "estimate_gpu_memory"
_QUANTIZATIONS = [method.value for method in TYPICAL]


def parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog=f"python -m serving.tools.{PROG}",
        description="Which GPU holds a model, and how many sequences fit beside it. Names follow vllm serve.",
        epilog="Exit codes: 0 at least one GPU fits, 1 none does, 2 bad input.",
    )
    cli.add_argument(
        "model",
        nargs="?",
        help="a folder with config.json (and safetensors files or their index), a config.json, or a name of --list",
    )
    cli.add_argument("--list", action="store_true", help="say which models and GPUs are known by name")
    _add_model_options(cli)
    _add_serving_options(cli)
    cli.add_argument(
        "--gpu", action="append", metavar="NAME", help="hold it against this GPU only; repeatable (default: all)"
    )
    cli.add_argument(
        "--gpu-memory-gib", type=positive_number, metavar="GIB", help="hold it against a GPU with this much memory"
    )
    add_json_option(cli)
    return cli


def _add_model_options(cli: argparse.ArgumentParser) -> None:
    cli.add_argument(
        "--dtype", choices=["auto", *Dtype], default="auto", help="auto is the config's, or 16 bits of 32 (%(default)s)"
    )
    cli.add_argument(
        "--quantization", choices=_QUANTIZATIONS, help="as if the weights were quantised so (default: the config's)"
    )
    cli.add_argument("--kv-cache-dtype", type=KvDtype, choices=list(KvDtype), default=KvDtype.AUTO, help="(auto)")
    cli.add_argument("--tensor-parallel-size", type=positive_int, metavar="N", help="GPUs that share the model (1)")


def _add_serving_options(cli: argparse.ArgumentParser) -> None:
    defaults = Workload(dtype=Dtype.BFLOAT16)
    for name, value, meaning in (
        ("--context-length", defaults.context_tokens, "tokens of each sequence, prompt and output"),
        ("--sequences", defaults.sequences, "how many of them have to fit at once"),
        ("--block-size", defaults.block_size, "tokens in a block of the KV cache"),
        ("--max-num-batched-tokens", defaults.max_batched_tokens, "tokens in one step"),
        ("--max-num-seqs", defaults.max_sequences, "sequences in one step"),
    ):
        cli.add_argument(name, type=positive_int, default=value, metavar="N", help=f"{meaning} (%(default)s)")
    cli.add_argument(
        "--gpu-memory-utilization",
        type=fraction,
        default=defaults.gpu_memory_utilization,
        metavar="SHARE",
        help="share of the GPU's memory that the engine may take (%(default)s)",
    )
    cli.add_argument("--enforce-eager", action="store_true", help="without CUDA graphs")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Raises InputError."""
    options = parser().parse_args(arguments)
    refuse_unwritable(options.json)
    if options.list:
        say(f"models: {', '.join(shipped_names())}\nGPUs:   {', '.join(gpu.name for gpu in GPUS)}")
        return EXIT_OK
    if options.model is None:
        raise InputError("name a model: a folder, a config.json, or a name of --list.")
    estimate = _estimate(options)
    deliver(text_of(estimate), document_of(estimate), json_target=options.json)
    return EXIT_OK if estimate.recommended is not None else EXIT_FAILED


def _estimate(options: argparse.Namespace) -> Estimate:
    model = read_model(options.model)
    shape, checkpoint = _quantized(model.shape, model.checkpoint, options.quantization)
    workload = Workload(
        dtype=_served_as(shape.dtype) if options.dtype == "auto" else Dtype(options.dtype),
        dtype_is_fixed=options.dtype != "auto",
        kv_dtype=options.kv_cache_dtype,
        block_size=options.block_size,
        gpu_memory_utilization=options.gpu_memory_utilization,
        max_batched_tokens=options.max_num_batched_tokens,
        max_sequences=options.max_num_seqs,
        context_tokens=options.context_length,
        sequences=options.sequences,
        cuda_graphs=not options.enforce_eager,
    )
    demand = demand_of(shape, workload, checkpoint=checkpoint, tensor_parallel=options.tensor_parallel_size or 1)
    gpus = _gpus(options)
    return Estimate(
        shape=shape,
        workload=workload,
        demand=demand,
        placements=[place(demand, gpu, shape, workload) for gpu in gpus],
        recommended=recommend(
            shape, workload, gpus, checkpoint=checkpoint, tensor_parallel=options.tensor_parallel_size
        ),
    )


def _served_as(stored: Dtype) -> Dtype:
    """What vLLM makes of float32 by itself, as no GPU gains anything from its precision."""
    return Dtype.BFLOAT16 if stored is Dtype.FLOAT32 else stored


def _quantized(
    shape: ModelShape, checkpoint: Checkpoint | None, wanted: str | None
) -> tuple[ModelShape, Checkpoint | None]:
    """As the user wants the weights; files that hold them in another form say nothing then."""
    if wanted is None or Method(wanted) is shape.quantization.method:
        return shape, checkpoint
    return dataclasses.replace(shape, quantization=TYPICAL[Method(wanted)]), None


def _gpus(options: argparse.Namespace) -> list[Gpu]:
    chosen = []
    for name in options.gpu or ():
        if name.lower() not in BY_NAME:
            raise InputError(
                f"--gpu {name} is not known; known are {', '.join(gpu.name for gpu in GPUS)}. "
                "For another one give --gpu-memory-gib."
            )
        chosen.append(BY_NAME[name.lower()])
    if options.gpu_memory_gib is not None:
        # What it can compute is not known, so nothing is held against it.
        chosen.append(Gpu(name="yours", memory_gib=options.gpu_memory_gib, compute_capability=(9, 0)))
    return chosen or list(GPUS)


if __name__ == "__main__":
    sys.exit(run(main, prog=PROG))
