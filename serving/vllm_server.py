"""`python -m serving.vllm_server --preset NAME`: checks a configuration, then becomes vLLM's own OpenAI server.

An engine that cannot start says why in one last sentence and exits with 1; vLLM's own tracebacks are above it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from serving.vllm_config import PRESETS, VllmConfig, VllmConfigError, preset
from serving.vllm_failures import cause, engine_died, logging_config, sentence


def parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m serving.vllm_server", description="vLLM's OpenAI-compatible server.")
    cli.add_argument("--preset", required=True, choices=sorted(PRESETS), help="where to start from")
    cli.add_argument("--model", help="a directory, or the name of a repository of the model hub")
    cli.add_argument("--served-model-name", nargs="+", metavar="NAME", help="what clients call it")
    cli.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    cli.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    cli.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of the configuration, repeatable; JSON, or text as it is (docs/reference/vllm.md)",
    )
    cli.add_argument("--print", action="store_true", help="only print the command line for `vllm serve`")
    return cli


def configured(options: argparse.Namespace) -> VllmConfig:
    """Raises VllmConfigError."""
    overrides = dict(_field_and_value(text) for text in options.set)
    if options.model is not None:
        overrides["model"] = options.model
    if options.served_model_name is not None:
        overrides["served_model_names"] = options.served_model_name
    return preset(options.preset, **overrides)


def _field_and_value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise VllmConfigError(f"--set {text}: write FIELD=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def check_model(model: str) -> None:
    """A hub's repository is vLLM's to find; a directory must be there. Raises VllmConfigError."""
    directory = Path(model)
    if directory.is_dir():
        if not (directory / "config.json").is_file() and not (directory / "params.json").is_file():
            raise VllmConfigError(f"{model} holds no model: there is neither a config.json nor a params.json in it")
    elif model.startswith(("/", ".", "~")) or model.count("/") > 1:
        raise VllmConfigError(
            f"there is no directory {model}; `python -m serving.tools.tiny_model {model}` makes a model for tests"
        )


def check_address(host: str, port: int) -> None:
    """vLLM would find out after seconds of imports. Raises OSError, OverflowError."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def serve(config: VllmConfig, *, host: str, port: int) -> None:
    """Run until a signal ends it. Raises SystemExit, with a sentence, when the engine does not start or dies."""
    for name, value in config.environment().items():
        os.environ[name] = value
    # Shared memory of a worker that died is cleaned up by Python, which would say so after our last sentence.
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    try:
        from vllm.entrypoints.launchers.api_server import entry  # noqa: PLC0415 - reads the environment set above
    except ImportError as error:
        _fail(f"{error.name} is not installed: run `scripts/venv.sh vllm` and use .venv-vllm/bin/python")
    with tempfile.TemporaryDirectory(prefix="vllm-") as directory:
        errors = Path(directory) / "errors.log"
        _log_errors_to(errors)
        sys.argv[1:] = [*config.arguments(), "--host", host, "--port", str(port)]
        try:
            entry.main()
        except KeyboardInterrupt:
            _fail("ended before it was ready")
        except Exception as error:  # noqa: BLE001 - whatever it is, its sentence comes last
            _fail(f"the engine did not start: {cause(_read(errors)) or sentence(error)}")
        if engine_died(_read(errors)):
            _fail(f"the engine died: {cause(_read(errors)) or 'its process was killed'}")


def _log_errors_to(errors: Path) -> None:
    """In this process and in those that it starts, unless the user has a logging configuration of his own."""
    from vllm import envs  # noqa: PLC0415 - comes with the rest of vLLM
    from vllm.logger import DEFAULT_LOGGING_CONFIG  # noqa: PLC0415 - idem

    if envs.VLLM_LOGGING_CONFIG_PATH is None:
        config = errors.with_name("logging.json")
        config.write_text(json.dumps(logging_config(DEFAULT_LOGGING_CONFIG, errors=errors)), encoding="utf-8")
        os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(config)


def _read(errors: Path) -> str:
    older = errors.with_name(f"{errors.name}.1")
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in (older, errors) if file.exists())


def _fail(why: str) -> NoReturn:
    # Standard output, where vLLM logs, and standard error may be one file: the order shall be right.
    sys.stdout.flush()
    sys.exit(f"vllm_server: {why}")


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    try:
        config = configured(options)
        if options.print:
            command = ["vllm", "serve", *config.arguments(), "--host", options.host, "--port", str(options.port)]
            print(shlex.join(command))
            return
        check_model(config.model)
        check_address(options.host, options.port)
    except VllmConfigError as error:
        _fail(str(error))
    except (OSError, OverflowError) as error:
        _fail(f"cannot listen on {options.host}:{options.port}: {error}")
    serve(config, host=options.host, port=options.port)


if __name__ == "__main__":
    main()
