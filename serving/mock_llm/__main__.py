"""`python -m serving.mock_llm`: a simulated engine behind an OpenAI-compatible server (docs/reference/mock-llm.md)."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys

import uvloop

from serving.mock_llm.admin import AdminServer
from serving.mock_llm.core.scheduler import Batching, EngineConfig, Scheduler
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine
from serving.mock_llm.faults import Faults
from serving.mock_llm.listener import run
from serving.mock_llm.metrics import EngineMetrics
from serving.mock_llm.server import MockServer

DEFAULT_MODELS = ("finsight-fast", "finsight-accurate")
DEFAULT_EMBEDDING_MODELS = ("mock-embedding",)


def parser() -> argparse.ArgumentParser:
    """The command line; names follow `vllm serve` where it has them."""
    defaults = EngineConfig()
    cli = argparse.ArgumentParser(prog="python -m serving.mock_llm", description="A simulated vLLM engine over HTTP.")
    cli.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    cli.add_argument(
        "--port", type=int, default=8090, help="port of the API; 0 picks a free one (default: %(default)s)"
    )
    cli.add_argument("--admin-host", default="127.0.0.1", help="address of the fault switches (default: %(default)s)")
    cli.add_argument("--admin-port", type=int, help="port of the fault switches; without it there are none")
    cli.add_argument("--model", action="append", help=f"served name, repeatable (default: {', '.join(DEFAULT_MODELS)})")
    cli.add_argument("--embedding-model", action="append", help=f"likewise (default: {DEFAULT_EMBEDDING_MODELS[0]})")
    cli.add_argument(
        "--time-scale", type=_positive, default=1.0, help="how many times faster than the modelled machine"
    )
    cli.add_argument("--batching", type=Batching, choices=list(Batching), default=Batching.CONTINUOUS)
    cli.add_argument("--max-model-len", type=int, default=defaults.max_model_len, help="tokens of prompt and output")
    cli.add_argument("--max-num-seqs", type=int, default=defaults.max_num_seqs, help="sequences in one step")
    cli.add_argument("--max-num-batched-tokens", type=int, default=defaults.max_num_batched_tokens, help="per step")
    cli.add_argument("--num-gpu-blocks", type=int, default=defaults.num_gpu_blocks, help="KV blocks of 16 tokens")
    cli.add_argument("--no-prefix-caching", action="store_true", help="compute every prompt in full")
    cli.add_argument("--shutdown-timeout", type=int, default=5, help="seconds that replies get to finish on SIGTERM")
    cli.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO")
    return cli


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _bind(host: str, port: int) -> socket.socket:
    """Raises SystemExit, with one sentence, when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        raise SystemExit(f"mock_llm: cannot listen on {host}:{port}: {error}") from None
    return bound


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        config = EngineConfig(
            max_model_len=options.max_model_len,
            max_num_seqs=options.max_num_seqs,
            max_num_batched_tokens=options.max_num_batched_tokens,
            num_gpu_blocks=options.num_gpu_blocks,
            prefix_caching=not options.no_prefix_caching,
            batching=options.batching,
        )
    except ValueError as error:
        raise SystemExit(f"mock_llm: {error}") from None
    models = options.model or DEFAULT_MODELS
    embedding_models = options.embedding_model or DEFAULT_EMBEDDING_MODELS
    scheduler = Scheduler(config=config, costs=CostModel())
    metrics = EngineMetrics(scheduler=scheduler, model_name=models[0])
    engine = Engine(scheduler=scheduler, metrics=metrics, time_scale=options.time_scale)
    faults = Faults(engine)
    server = MockServer(engine=engine, faults=faults, models=models, embedding_models=embedding_models)
    api_socket = _bind(options.host, options.port)
    admin_socket = None if options.admin_port is None else _bind(options.admin_host, options.admin_port)
    log = logging.getLogger("serving.mock_llm")
    log.info("serving %s on http://%s:%d", ", ".join([*models, *embedding_models]), *api_socket.getsockname()[:2])
    if admin_socket is not None:
        log.info("fault switches on http://%s:%d/faults", *admin_socket.getsockname()[:2])
    uvloop.run(
        run(
            engine=engine,
            server=server,
            admin=AdminServer(faults=faults, exit_process=os._exit) if admin_socket else None,
            sockets=(api_socket, admin_socket),
            shutdown_timeout_s=options.shutdown_timeout,
        )
    )


if __name__ == "__main__":
    main()
