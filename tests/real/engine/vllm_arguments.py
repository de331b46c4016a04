"""Run by vLLM's own Python: what vLLM makes of command lines. Lists of arguments in (JSON), what it understood out.

With `--engine` it also builds the engine's configuration, which checks the fields against each other and the model.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import validate_api_server_args
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
from vllm.utils.argparse_utils import FlexibleArgumentParser


def understood(parser: FlexibleArgumentParser, arguments: list[str], *, engine: bool) -> dict[str, Any]:
    options = parser.parse_args(arguments)
    validate_parsed_serve_args(options)
    validate_api_server_args(options)
    if options.quantization is not None and options.quantization not in QUANTIZATION_METHODS:
        raise ValueError(f"unknown quantization {options.quantization}")
    if not engine:
        return dict(vars(options))
    config = AsyncEngineArgs.from_cli_args(options).create_engine_config()
    return {
        "max_model_len": config.model_config.max_model_len,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "long_prefill_token_threshold": config.scheduler_config.long_prefill_token_threshold,
        "enable_chunked_prefill": config.scheduler_config.enable_chunked_prefill,
        "watermark": config.scheduler_config.watermark,
        "enable_prefix_caching": config.cache_config.enable_prefix_caching,
        "block_size": config.cache_config.block_size,
        "gpu_memory_utilization": config.cache_config.gpu_memory_utilization,
        "kv_cache_memory_bytes": config.cache_config.kv_cache_memory_bytes,
        "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
        "shutdown_timeout": config.shutdown_timeout,
        "output": config.model_config.get_diff_sampling_param(),
    }


def main() -> None:
    parser = make_arg_parser(FlexibleArgumentParser())
    engine = "--engine" in sys.argv
    results = [understood(parser, arguments, engine=engine) for arguments in json.load(sys.stdin)]
    sys.stderr.write(json.dumps(results, default=repr))


if __name__ == "__main__":
    main()
